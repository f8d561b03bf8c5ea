//! The consoles of a process. They come and go while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::Console;
use crate::model::Name;

/// The consoles of a process, by name; shared by everything that serves them.
#[derive(Debug, Default)]
pub struct Roster(RwLock<BTreeMap<Name, Arc<Console>>>);

impl Roster {
    /// The console of a name.
    pub fn get(&self, name: &str) -> Option<Arc<Console>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All of them, in the order of their names.
    pub fn all(&self) -> Vec<Arc<Console>> {
        let consoles = self.0.read().unwrap_or_else(PoisonError::into_inner);
        consoles.values().cloned().collect()
    }

    pub fn insert(&self, console: Arc<Console>) {
        let mut consoles = self.0.write().unwrap_or_else(PoisonError::into_inner);
        consoles.insert(console.name().clone(), console);
    }

    pub fn remove(&self, name: &Name) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}
