//! NumPy's `.npz`: a ZIP archive of `.npy` arrays. Only arrays of 32- or 64-bit floats are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// First bytes of an `.npy` file, before the two of its version.
const MAGIC: &[u8] = b"\x93NUMPY";
/// How many bytes of arrays a file may hold.
const MAX_ARRAYS: u64 = 256 << 20;

/// Why an `.npz` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// The file or the archive cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The archive is none.
    #[error(transparent)]
    Zip(#[from] zip::result::ZipError),
    /// The arrays are larger than anything a network of this kind reads or makes.
    #[error("it holds more than {} MiB of arrays; needed are only the input and the outputs", MAX_ARRAYS >> 20)]
    TooLarge,
    /// An array is damaged or of another type.
    #[error("array {name}: {why}")]
    Array {
        /// The array.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// Float arrays by name, flat in row-major order.
#[derive(Debug)]
pub struct Npz {
    arrays: BTreeMap<String, Vec<f32>>,
}

impl Npz {
    /// Reads all arrays of the file, of at most 256 MiB together.
    ///
    /// # Errors
    /// [`NpzError`].
    pub fn open(path: &Path) -> Result<Self, NpzError> {
        let mut archive = zip::ZipArchive::new(File::open(path)?)?;
        let mut arrays = BTreeMap::new();
        let mut left = MAX_ARRAYS;
        for i in 0..archive.len() {
            let entry = archive.by_index(i)?;
            let name = entry.name()?.trim_end_matches(".npy").to_owned();
            let mut bytes = Vec::new();
            let read = entry.take(left + 1).read_to_end(&mut bytes)? as u64;
            left = left.checked_sub(read).ok_or(NpzError::TooLarge)?;
            let values = array(&bytes).map_err(|why| NpzError::Array { name: name.clone(), why })?;
            arrays.insert(name, values);
        }
        Ok(Self { arrays })
    }

    /// The array of that name.
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.arrays.get(name).map(Vec::as_slice)
    }

    /// Names and lengths of the arrays, for messages.
    pub fn contents(&self) -> String {
        let each: Vec<String> = self.arrays.iter().map(|(name, values)| format!("{name}: {}", values.len())).collect();
        each.join(", ")
    }
}

/// The values of an `.npy` file, format versions 1 to 3.
fn array(bytes: &[u8]) -> Result<Vec<f32>, String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin like an .npy file")?;
    let (length, rest) = match *rest {
        [1, _, a, b, ref rest @ ..] => (usize::from(u16::from_le_bytes([a, b])), rest),
        [2 | 3, _, a, b, c, d, ref rest @ ..] => (u32::from_le_bytes([a, b, c, d]) as usize, rest),
        _ => return Err("its version is not 1, 2 or 3".to_owned()),
    };
    let (header, data) = rest.split_at_checked(length).ok_or("it ends in its header")?;
    let header = String::from_utf8_lossy(header);
    if header.contains("'fortran_order': True") {
        return Err("it is in column-major order; save it with numpy.ascontiguousarray".to_owned());
    }
    if header.contains("'<f4'") {
        Ok(data.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
    } else if header.contains("'<f8'") {
        #[expect(clippy::cast_possible_truncation, reason = "compared with the network's 32-bit floats")]
        Ok(data.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect())
    } else {
        Err(format!("its type is neither float32 nor float64: {}", header.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    #[test]
    fn float_arrays_are_read_and_others_refused() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
        assert_eq!(array(&npy(header, &[0, 0, 128, 63, 0, 0, 0, 64])).unwrap(), [1.0, 2.0]);
        for (header, word) in [
            ("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", "neither"),
            ("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", "column-major"),
        ] {
            assert!(array(&npy(header, &[0; 16])).unwrap_err().contains(word));
        }
        assert!(array(b"\x93NUMPY\x01\x00\xff\x00{").unwrap_err().contains("header"));
        assert!(array(b"nothing").is_err());
    }
}
