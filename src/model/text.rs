//! Texts that are long.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// A text that is kept once, however many have it: copying it costs nothing. In documents it is a text like any other.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct LongText(Arc<str>);

impl Deref for LongText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for LongText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for LongText {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Serialize for LongText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}
