//! U-Boot's legacy image header, as `mkimage -T ramdisk` writes it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Length of the header in bytes.
pub const HEADER: usize = 64;
const MAGIC: u32 = 0x2705_1956;
const OS_LINUX: u8 = 5;
const TYPE_RAMDISK: u8 = 3;
const COMPRESSION_NONE: u8 = 0;

/// The architectures that [`architecture`] knows.
pub const ARCHITECTURES: [&str; 14] = [
    "arc",
    "arm",
    "arm64",
    "m68k",
    "microblaze",
    "mips",
    "mips64",
    "powerpc",
    "ppc",
    "riscv",
    "sh",
    "x86",
    "x86_64",
    "xtensa",
];

/// U-Boot's number of an architecture that `mkimage -A` knows.
pub fn architecture(name: &str) -> Option<u8> {
    Some(match name {
        "arm" => 2,
        "x86" => 3,
        "mips" => 5,
        "mips64" => 6,
        "ppc" | "powerpc" => 7,
        "sh" => 9,
        "m68k" => 12,
        "microblaze" => 14,
        "arm64" => 22,
        "arc" => 23,
        "x86_64" => 24,
        "xtensa" => 25,
        "riscv" => 26,
        _ => return None,
    })
}

/// Whether a file begins with the header.
pub fn has_header(start: &[u8]) -> bool {
    start.len() >= HEADER && start[..4] == MAGIC.to_be_bytes()
}

/// Fills in the header at the beginning of a file whose first [`HEADER`] bytes were left free.
///
/// # Errors
/// What the file says, or that the image is larger than the 4 GiB that a header can tell.
pub fn seal(file: &mut File, architecture: u8, name: &str) -> io::Result<()> {
    file.seek(SeekFrom::Start(HEADER as u64))?;
    let mut crc = Crc::new();
    let mut size = 0_u64;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        crc.update(&buffer[..read]);
        size += read as u64;
    }
    let size = u32::try_from(size).map_err(|_| io::ErrorKind::FileTooLarge)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header(architecture, name, size, crc.finish()))
}

fn header(architecture: u8, name: &str, size: u32, data_crc: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0..4].copy_from_slice(&MAGIC.to_be_bytes());
    header[12..16].copy_from_slice(&size.to_be_bytes());
    header[24..28].copy_from_slice(&data_crc.to_be_bytes());
    header[28..32].copy_from_slice(&[OS_LINUX, architecture, TYPE_RAMDISK, COMPRESSION_NONE]);
    let name = &name.as_bytes()[..name.len().min(31)];
    header[32..32 + name.len()].copy_from_slice(name);
    let mut crc = Crc::new();
    crc.update(&header);
    header[4..8].copy_from_slice(&crc.finish().to_be_bytes());
    header
}

/// CRC-32 as zlib has it.
struct Crc {
    table: [u32; 256],
    state: u32,
}

impl Crc {
    fn new() -> Self {
        let table =
            std::array::from_fn(|byte| {
                (0..8).fold(byte as u32, |crc, _| {
                    if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 }
                })
            });
        Self { table, state: !0 }
    }

    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let index = (self.state ^ u32::from(*byte)) & 0xff;
            self.state = self.table[index as usize] ^ (self.state >> 8);
        }
    }

    fn finish(self) -> u32 {
        !self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_zlibs() {
        let mut crc = Crc::new();
        crc.update(b"123456789");
        assert_eq!(crc.finish(), 0xcbf4_3926);
    }

    #[test]
    fn a_sealed_file_has_its_size_and_checksums() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[0; HEADER]).unwrap();
        file.write_all(b"123456789").unwrap();
        seal(&mut file, architecture("arm64").unwrap(), "ramdisk").unwrap();
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        assert!(has_header(&bytes));
        assert_eq!(bytes[12..16], 9_u32.to_be_bytes());
        assert_eq!(bytes[24..28], 0xcbf4_3926_u32.to_be_bytes());
        assert_eq!(bytes[28..32], [5, 22, 3, 0]);
        // The header's own checksum is that of the header with nothing in its place.
        let told = u32::from_be_bytes(bytes[4..8].try_into().unwrap());
        bytes[4..8].fill(0);
        let mut crc = Crc::new();
        crc.update(&bytes[..HEADER]);
        assert_eq!(crc.finish(), told);
    }
}
