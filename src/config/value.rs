//! The kinds of values that a configuration can hold.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{At, Node, Value};
use crate::model::{Name, units};

/// A value that can be read from a node; `None` after a note of what was wrong.
pub trait FromNode: Sized {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self>;
}

/// A number of bytes, written as `64MiB` or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromNode for String {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            _ => {
                at.expected(node, "a text");
                None
            }
        }
    }
}

impl FromNode for bool {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        match node.value {
            Value::Bool(value) => Some(value),
            _ => {
                at.expected(node, "true or false");
                None
            }
        }
    }
}

impl FromNode for Size {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        match &node.value {
            Value::Int(bytes) if *bytes >= 0 => Some(Self(*bytes as u64)),
            Value::Text(text) => noted(units::size(text).map(Self), node, at),
            _ => {
                at.expected(node, "a size such as \"64MiB\"");
                None
            }
        }
    }
}

impl FromNode for Duration {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        match &node.value {
            Value::Text(text) => noted(units::duration(text), node, at),
            _ => {
                at.expected(node, "a duration such as \"5s\"");
                None
            }
        }
    }
}

impl FromNode for PathBuf {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        String::from_node(node, at).map(Self::from)
    }
}

impl FromNode for Name {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        noted(String::from_node(node, at)?.parse(), node, at)
    }
}

impl FromNode for SocketAddr {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let text = String::from_node(node, at)?;
        let parsed = text.parse();
        noted(
            parsed.map_err(|_| {
                format!("{text:?} is no address; write it like 127.0.0.1:7001 or [::1]:7001")
            }),
            node,
            at,
        )
    }
}

impl<T: FromNode> FromNode for Vec<T> {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let Value::List(items) = &node.value else {
            at.expected(node, "a list");
            return None;
        };
        // Read all of them before giving up, so that each wrong one is noted.
        let read: Vec<Option<T>> =
            items.iter().enumerate().map(|(i, item)| T::from_node(item, &at.index(i))).collect();
        read.into_iter().collect()
    }
}

impl<T: FromNode> FromNode for BTreeMap<String, T> {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            at.expected(node, "a table");
            return None;
        };
        let read: Vec<Option<(String, T)>> = entries
            .iter()
            .map(|(key, node)| Some((key.name.clone(), T::from_node(node, &at.key(&key.name))?)))
            .collect();
        read.into_iter().collect()
    }
}

macro_rules! whole_number {
    ($($type:ty),*) => {$(
        impl FromNode for $type {
            fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
                let Value::Int(value) = node.value else {
                    at.expected(node, "a whole number");
                    return None;
                };
                let (least, most) = (<$type>::MIN, <$type>::MAX);
                let error = |_| format!("{value} is out of range; {least} to {most} will do");
                noted(<$type>::try_from(value).map_err(error), node, at)
            }
        }
    )*};
}

whole_number!(u8, u16, u32, u64, i64);

fn noted<T, E: ToString>(result: Result<T, E>, node: &Node, at: &At<'_>) -> Option<T> {
    result.map_err(|error| at.problem(node.place, error.to_string())).ok()
}
