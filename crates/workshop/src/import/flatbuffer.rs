//! FlatBuffers, read field by field with every offset checked. The `flatbuffers` crate verifies a file as well, but
//! only against code that its compiler generates from a schema; the few fields that an import reads need neither the
//! schema of TensorFlow Lite nor that code, and the bound on copied bytes holds for all tables of a file together.

use super::error::Fault;
use bytes::Bytes;
use std::cell::Cell;
use std::rc::Rc;

/// A table somewhere in the file.
#[derive(Clone, Debug)]
pub(super) struct Table {
    file: Bytes,
    at: usize,
    /// Offsets of its fields from `at`, two bytes each.
    fields: Bytes,
    /// Bytes that may still be copied out of the file, for all its tables together: any number of offsets may lead to
    /// one long list, and a small file could otherwise fill the memory.
    budget: Rc<Cell<usize>>,
}

impl Table {
    /// The table at the root of `file`.
    ///
    /// # Errors
    /// [`Fault::Malformed`], as everywhere here, when an offset leads out of the file.
    pub(super) fn root(file: &Bytes) -> Result<Self, Fault> {
        Self::at(file, &Rc::new(Cell::new(file.len())), offset_at(file, 0)?)
    }

    fn at(file: &Bytes, budget: &Rc<Cell<usize>>, at: usize) -> Result<Self, Fault> {
        let back = i32::from_le_bytes(array(file, at)?);
        let vtable = i64::try_from(at).ok().and_then(|a| usize::try_from(a - i64::from(back)).ok());
        let vtable = vtable.ok_or_else(outside)?;
        let size = usize::from(u16::from_le_bytes(array(file, vtable)?));
        let end = vtable.checked_add(size).filter(|&end| size >= 4 && end <= file.len()).ok_or_else(outside)?;
        Ok(Self { file: file.clone(), at, fields: file.slice(vtable + 4..end), budget: Rc::clone(budget) })
    }

    /// Where field number `field` stands; `None` when it is absent, which means its default.
    fn field(&self, field: usize) -> Option<usize> {
        let entry = self.fields.get(2 * field..2 * field + 2)?;
        match u16::from_le_bytes([entry[0], entry[1]]) {
            0 => None,
            offset => Some(self.at + usize::from(offset)),
        }
    }

    /// A field of one byte.
    pub(super) fn byte(&self, field: usize) -> Result<Option<u8>, Fault> {
        self.field(field).map(|at| array::<1>(&self.file, at).map(|[b]| b)).transpose()
    }

    /// A field of a 32-bit integer.
    pub(super) fn int(&self, field: usize) -> Result<Option<i32>, Fault> {
        self.field(field).map(|at| array(&self.file, at).map(i32::from_le_bytes)).transpose()
    }

    /// A field that is a table.
    pub(super) fn table(&self, field: usize) -> Result<Option<Self>, Fault> {
        let table = |at| Self::at(&self.file, &self.budget, offset_at(&self.file, at)?);
        self.field(field).map(table).transpose()
    }

    /// The elements of a vector of tables; none when the field is absent.
    pub(super) fn tables(&self, field: usize) -> Result<Vec<Self>, Fault> {
        let Some((start, count)) = self.vector(field, 4)? else {
            return Ok(Vec::new());
        };
        if count > MAX_TABLES {
            return Err(Fault::TooMany { what: "entries in one list", max: MAX_TABLES });
        }
        (0..count).map(|i| Self::at(&self.file, &self.budget, offset_at(&self.file, start + 4 * i)?)).collect()
    }

    /// The elements of a vector of 32-bit integers.
    pub(super) fn ints(&self, field: usize) -> Result<Vec<i32>, Fault> {
        Ok(self.elements::<4>(field)?.into_iter().map(i32::from_le_bytes).collect())
    }

    /// The elements of a vector of 64-bit integers.
    pub(super) fn longs(&self, field: usize) -> Result<Vec<i64>, Fault> {
        Ok(self.elements::<8>(field)?.into_iter().map(i64::from_le_bytes).collect())
    }

    /// The elements of a vector of floats.
    pub(super) fn floats(&self, field: usize) -> Result<Vec<f32>, Fault> {
        Ok(self.elements::<4>(field)?.into_iter().map(f32::from_le_bytes).collect())
    }

    /// A vector of bytes, shared with the file; empty when the field is absent.
    pub(super) fn bytes(&self, field: usize) -> Result<Bytes, Fault> {
        let range = self.vector(field, 1)?;
        Ok(range.map_or_else(Bytes::new, |(start, count)| self.file.slice(start..start + count)))
    }

    /// A text; bytes that are no UTF-8 are replaced. Empty when the field is absent.
    pub(super) fn text(&self, field: usize) -> Result<String, Fault> {
        let bytes = self.bytes(field)?;
        self.spend(bytes.len())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn elements<const N: usize>(&self, field: usize) -> Result<Vec<[u8; N]>, Fault> {
        let Some((start, count)) = self.vector(field, N)? else {
            return Ok(Vec::new());
        };
        if count > MAX_TABLES {
            return Err(Fault::TooMany { what: "entries in one list", max: MAX_TABLES });
        }
        self.spend(N * count)?;
        Ok(self.file[start..start + N * count].as_chunks::<N>().0.to_vec())
    }

    /// Counts `bytes` that are copied out of the file.
    fn spend(&self, bytes: usize) -> Result<(), Fault> {
        let left = self.budget.get().checked_sub(bytes);
        self.budget.set(left.ok_or_else(|| Fault::Malformed("its lists and texts are longer than the file".into()))?);
        Ok(())
    }

    /// First byte and number of elements of a vector whose elements have `size` bytes; all of it lies in the file.
    fn vector(&self, field: usize, size: usize) -> Result<Option<(usize, usize)>, Fault> {
        let Some(at) = self.field(field) else {
            return Ok(None);
        };
        let at = offset_at(&self.file, at)?;
        let count = u32::from_le_bytes(array(&self.file, at)?) as usize;
        let end = count.checked_mul(size).and_then(|bytes| bytes.checked_add(at + 4));
        match end {
            Some(end) if end <= self.file.len() => Ok(Some((at + 4, count))),
            _ => Err(outside()),
        }
    }
}

/// The most entries of a list of tables or numbers; whole detectors have a few hundred.
const MAX_TABLES: usize = 1 << 16;

/// The place to which the offset at `at` points.
fn offset_at(file: &Bytes, at: usize) -> Result<usize, Fault> {
    let offset = u32::from_le_bytes(array(file, at)?) as usize;
    at.checked_add(offset).filter(|&to| to < file.len()).ok_or_else(outside)
}

fn array<const N: usize>(file: &Bytes, at: usize) -> Result<[u8; N], Fault> {
    let end = at.checked_add(N).ok_or_else(outside)?;
    file.get(at..end).and_then(|bytes| bytes.try_into().ok()).ok_or_else(outside)
}

fn outside() -> Fault {
    Fault::Malformed("an offset leads out of the file".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with a vector of `count` tables, which are one and the same, with a text of `length` bytes.
    fn one_text_in_many_places(count: u32, length: u32) -> Bytes {
        let child = 24 + 4 * count;
        let mut file: Vec<u8> = Vec::new();
        file.extend(12_u32.to_le_bytes());
        // The vtable of both, at 4: its size, the table's size, and the place of field 0.
        file.extend([6, 0, 8, 0, 4, 0, 0, 0]);
        file.extend([8_u32, 4, count].map(u32::to_le_bytes).concat());
        file.extend((0..count).flat_map(|i| (child - (24 + 4 * i)).to_le_bytes()));
        file.extend([child - 4, 4, length].map(u32::to_le_bytes).concat());
        file.resize(file.len() + length as usize, b'x');
        file.into()
    }

    #[test]
    fn a_text_that_is_named_many_times_is_not_copied_without_end() {
        let tables = Table::root(&one_text_in_many_places(9, 1000)).unwrap().tables(0).unwrap();
        assert_eq!(tables.len(), 9);
        assert_eq!(tables[0].text(0).unwrap(), "x".repeat(1000));
        let error = tables[1].text(0).unwrap_err().to_string();
        assert!(error.contains("longer than the file"), "{error}");
    }

    #[test]
    fn offsets_that_lead_out_of_the_file_are_faults() {
        let whole = one_text_in_many_places(1, 8);
        for length in 0..whole.len() {
            let text = Table::root(&whole.slice(..length)).and_then(|root| root.tables(0)).and_then(|t| t[0].text(0));
            assert!(text.is_err(), "{length} bytes pass");
        }
    }
}
