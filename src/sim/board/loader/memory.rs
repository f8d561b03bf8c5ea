//! What has been loaded where. Only whole files: nothing looks at single bytes.

use std::collections::BTreeMap;

use bytes::Bytes;

/// The board's memory, in bytes.
pub(super) const SIZE: usize = 512 << 20;

#[derive(Debug, Default)]
pub(super) struct Memory(BTreeMap<u64, Bytes>);

impl Memory {
    /// Puts a file at an address, over what it overlaps there.
    ///
    /// # Errors
    /// When all that is held would be more than the board has.
    pub(super) fn load(&mut self, address: u64, file: Bytes) -> Result<(), String> {
        let end = address.saturating_add(file.len() as u64);
        self.0.retain(|start, held| start + held.len() as u64 <= address || *start >= end);
        let held: usize = self.0.values().map(Bytes::len).sum();
        if held + file.len() > SIZE {
            return Err(format!("{} bytes are more than the memory has left", file.len()));
        }
        self.0.insert(address, file);
        Ok(())
    }

    /// What was loaded at an address, its first `size` bytes where a size is given.
    pub(super) fn at(&self, address: u64, size: Option<usize>) -> Option<Bytes> {
        let file = self.0.get(&address)?;
        Some(file.slice(..size.map_or(file.len(), |size| size.min(file.len()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_replaces_what_it_overlaps_and_nothing_else() {
        let mut memory = Memory::default();
        memory.load(0x1000, Bytes::from_static(b"abcdef")).unwrap();
        memory.load(0x2000, Bytes::from_static(b"ramdisk")).unwrap();
        memory.load(0x1004, Bytes::from_static(b"x")).unwrap();
        assert_eq!(memory.at(0x1000, None), None);
        assert_eq!(memory.at(0x1004, None).unwrap(), "x");
        assert_eq!(memory.at(0x2000, Some(3)).unwrap(), "ram");
    }

    #[test]
    fn more_than_the_board_has_is_refused() {
        let mut memory = Memory::default();
        memory.load(0, vec![0; SIZE - 1].into()).unwrap();
        assert!(memory.load(0x1_0000_0000, Bytes::from_static(b"ab")).is_err());
    }
}
