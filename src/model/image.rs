//! Images as the server keeps them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Name;

/// The SHA-256 of a file, in lower-case hexadecimal: what an image is, whatever it is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(String);

/// A text is no [`Sha256`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 has 64 hexadecimal digits")]
pub struct Sha256Error;

impl Sha256 {
    /// Of the 32 bytes.
    pub fn of(bytes: &[u8; 32]) -> Self {
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Sha256 {
    type Err = Sha256Error;

    fn from_str(text: &str) -> Result<Self, Sha256Error> {
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| Self(text.to_ascii_lowercase())).ok_or(Sha256Error)
    }
}

impl TryFrom<String> for Sha256 {
    type Error = Sha256Error;

    fn try_from(text: String) -> Result<Self, Sha256Error> {
        text.parse()
    }
}

impl From<Sha256> for String {
    fn from(hash: Sha256) -> Self {
        hash.0
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadRequest {
    /// In bytes.
    pub size: u64,
    /// What it has to be when it is here. A file that is here already need not be sent.
    #[schema(value_type = String)]
    pub sha256: Sha256,
    /// Who stores it, where nobody logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// How far an upload is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadInfo {
    /// How it is called in further requests.
    pub id: String,
    /// So many bytes are here; the next ones are those from this offset on.
    pub offset: u64,
    pub size: u64,
    #[schema(value_type = String)]
    pub sha256: Sha256,
    /// All of it is here, and is what it should be: it can be given a name.
    pub done: bool,
}

/// What a stored file is to be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewImage {
    #[schema(value_type = String)]
    pub sha256: Sha256,
    /// For how long it is kept, in seconds; 0 for ever. Without it, for as long as the server keeps
    /// temporary ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_s: Option<u64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// It is the disk of a virtual machine, a qcow2 that stands by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<NewVm>,
    /// Who asks, where nobody logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// What one says of the disk of a virtual machine; its size the file tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVm {
    pub arch: VmArch,
    /// So much memory it needs at least, in MiB; a board that has less does not boot it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
}

/// The disk of a virtual machine, as the server tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VmImage {
    pub arch: VmArch,
    /// As in [`NewVm`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
    /// How large the machine sees it, in bytes.
    pub disk: u64,
}

/// The processor of a virtual machine, as boards have it in their attribute `arch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum VmArch {
    #[serde(rename = "x86_64")]
    X86_64,
    #[serde(rename = "aarch64")]
    Aarch64,
}

impl VmArch {
    const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }
}

impl fmt::Display for VmArch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for VmArch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|arch| arch.as_str() == text);
        found
            .ok_or_else(|| format!("{text:?} is no processor of virtual machines: x86_64, aarch64"))
    }
}

/// An image as the server tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageInfo {
    #[schema(value_type = String)]
    pub name: Name,
    #[schema(value_type = String)]
    pub sha256: Sha256,
    /// In bytes.
    pub size: u64,
    pub user: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// In microseconds since the Unix epoch, as is its end.
    pub made_us: u64,
    /// When it is removed; none when it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_us: Option<u64>,
    /// It is the disk of a virtual machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<VmImage>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_digits() {
        let hash = Sha256::of(&[0xab; 32]);
        assert_eq!(hash.as_str(), "ab".repeat(32));
        assert_eq!("AB".repeat(32).parse(), Ok(hash));
        for wrong in ["", "ab", &"g".repeat(64), &"../".repeat(22)] {
            assert_eq!(wrong.parse::<Sha256>(), Err(Sha256Error), "{wrong}");
        }
    }
}
