//! NumPy's `.npz`: a ZIP archive of `.npy` arrays. Only arrays of 32- or 64-bit floats are read.

use npyz::{DType, NpyFile, NpyHeader, Order, TypeChar};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

/// The most bytes of arrays that are read from a file.
const MAX_ARRAYS: u64 = 256 << 20;
/// The longest header that is parsed, in bytes; NumPy writes 118 for a plain array.
const MAX_HEADER: usize = 1024;
/// The most digits of a header: with these the product of all dimensions fits 64 bits, in which `npyz` computes it
/// unchecked.
const MAX_DIGITS: usize = 19;

/// Why an `.npz` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// The file cannot be read; the error names it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The archive is damaged, or the file is not a ZIP archive.
    #[error("{path}: {source}")]
    Zip {
        /// The file.
        path: String,
        /// What is wrong.
        source: zip::result::ZipError,
    },
    /// The arrays are larger than anything a network of this kind reads or makes.
    #[error("{path} holds more than {} MiB of arrays; only the input and the outputs are needed", MAX_ARRAYS >> 20)]
    TooLarge {
        /// The file.
        path: String,
    },
    /// An array is damaged or of another type.
    #[error("{path}: array {name}: {reason}")]
    Array {
        /// The file.
        path: String,
        /// The array.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

/// An array of floats.
#[derive(Debug, PartialEq)]
pub(super) struct Array {
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// The values in row-major order, as many as the shape asks for.
    pub values: Vec<f32>,
}

/// Float arrays by name.
#[derive(Debug)]
pub(super) struct Npz {
    arrays: BTreeMap<String, Array>,
}

impl Npz {
    /// Reads all arrays of the file, of at most 256 MiB together.
    ///
    /// # Errors
    /// [`NpzError`], which names the file.
    pub(super) fn open(path: &Path) -> Result<Self, NpzError> {
        let named = || path.display().to_string();
        let zip = |source| NpzError::Zip { path: named(), source };
        let mut archive = zip::ZipArchive::new(fs_err::File::open(path)?).map_err(zip)?;
        let mut arrays = BTreeMap::new();
        let mut left = MAX_ARRAYS;
        for i in 0..archive.len() {
            let entry = archive.by_index(i).map_err(zip)?;
            let name = entry.name().map_err(zip)?.trim_end_matches(".npy").to_owned();
            let fault = |reason| NpzError::Array { path: named(), name: name.clone(), reason };
            let mut bytes = Vec::new();
            let read = entry.take(left + 1).read_to_end(&mut bytes).map_err(|e| fault(e.to_string()))? as u64;
            left = left.checked_sub(read).ok_or_else(|| NpzError::TooLarge { path: named() })?;
            let array = array(&bytes).map_err(fault)?;
            arrays.insert(name, array);
        }
        Ok(Self { arrays })
    }

    /// The array of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Array> {
        self.arrays.get(name)
    }

    /// Names and shapes of the arrays, for messages.
    pub(super) fn contents(&self) -> String {
        let each: Vec<String> = self.arrays.iter().map(|(name, array)| format!("{name} {:?}", array.shape)).collect();
        each.join(", ")
    }
}

/// The array in an `.npy` file.
fn array(bytes: &[u8]) -> Result<Array, String> {
    check_header(bytes)?;
    let mut data = bytes;
    let header = NpyHeader::from_reader(&mut data).map_err(|e| e.to_string())?;
    let dtype = header.dtype();
    let size = match &dtype {
        DType::Plain(plain) if plain.type_char() == TypeChar::Float && matches!(plain.size_field(), 4 | 8) => {
            plain.size_field()
        }
        other => return Err(format!("its type is {}; only float32 and float64 are read", other.descr())),
    };
    if header.order() == Order::Fortran {
        return Err("it is in column-major order; save it with numpy.ascontiguousarray".to_owned());
    }
    let shape: Vec<usize> = header.shape().iter().filter_map(|&d| usize::try_from(d).ok()).collect();
    let wanted = header.shape().iter().try_fold(size, |n, &d| n.checked_mul(d));
    if wanted != Some(data.len() as u64) {
        return Err(format!("its shape {shape:?} does not fit its {} bytes of values", data.len()));
    }
    let file = NpyFile::with_header(header, data);
    let values = if size == 4 {
        file.into_vec::<f32>()
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "compared with the network's 32-bit floats")]
        file.into_vec::<f64>().map(|values| values.into_iter().map(|v| v as f32).collect())
    };
    Ok(Array { shape, values: values.map_err(|e| e.to_string())? })
}

/// Refuses a header that NumPy does not write for an array of numbers, before it is parsed: the parser recurses into
/// nested brackets.
fn check_header(bytes: &[u8]) -> Result<(), String> {
    let (start, length) = match bytes.get(6..12) {
        Some(&[1, _, a, b, ..]) => (10, usize::from(u16::from_le_bytes([a, b]))),
        Some(&[2 | 3, _, a, b, c, d]) => (12, u32::from_le_bytes([a, b, c, d]) as usize),
        Some(_) | None => return Err("it is not an .npy file of version 1, 2 or 3".to_owned()),
    };
    let text = &bytes[start.min(bytes.len())..bytes.len().min(start + length.min(MAX_HEADER))];
    let digits = text.iter().filter(|b| b.is_ascii_digit()).count();
    if length > MAX_HEADER || digits > MAX_DIGITS || text.iter().any(|b| matches!(b, b'x' | b'X')) {
        return Err("its header is not that of an array of numbers".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    }

    #[test]
    fn float_arrays_are_read_with_their_shapes() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n";
        let read = array(&npy(header, &[0, 0, 128, 63, 0, 0, 0, 64])).unwrap();
        assert_eq!(read, Array { shape: vec![1, 2], values: vec![1.0, 2.0] });
        // Values are not searched for what a header may not contain.
        assert_eq!(array(&npy(header, b"xxxxxxxx")).unwrap().shape, [1, 2]);
        // The order of the keys and the spaces are the writer's choice.
        let header = "{\"shape\":(1,),\"fortran_order\":False,\"descr\":\"<f8\"}";
        let read = array(&npy(header, &2.5_f64.to_le_bytes())).unwrap();
        assert_eq!(read, Array { shape: vec![1], values: vec![2.5] });
    }

    #[test]
    fn other_arrays_are_refused_with_the_reason() {
        let nested = "(".repeat(2000);
        for (header, reason) in [
            ("{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", "its type is '<i8'"),
            ("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", "column-major"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }", "[5] does not fit its 16 bytes"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967297), }", "header"),
            (&nested, "header"),
            ("", "Python"),
        ] {
            let error = array(&npy(header, &[0; 16])).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert!(array(b"\x93NUMPY\x01\x00\xff\x00{}}").is_err());
        assert!(array(b"nothing").is_err());
    }
}
