//! All that daemons know of many things at once: one request for each daemon, not for each thing.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Resource;
use crate::model::{Failure, Kind, Name};

/// What daemons list, by where it is.
#[derive(Debug)]
pub struct Listing<T> {
    /// By daemon and collection.
    collections: HashMap<Resource, Result<HashMap<Name, T>, Failure>>,
}

#[derive(Deserialize)]
struct Item<T> {
    name: Name,
    #[serde(flatten)]
    item: T,
}

impl<T: DeserializeOwned + Clone> Listing<T> {
    /// Asks the daemons of these consoles, or outlets. Who does not answer within the time is as who
    /// cannot be reached.
    pub async fn of(things: impl Iterator<Item = &Resource>, timeout: Duration) -> Self {
        let mut collections: Vec<Resource> = Vec::new();
        for thing in things {
            let collection = collection(thing);
            if !collections.contains(&collection) {
                collections.push(collection);
            }
        }
        let ask = |collection: Resource| async move {
            let http = collection.http().with_timeout(timeout);
            let listed: Result<Vec<Item<T>>, Failure> = http.get(&collection.path).await;
            let named = |listed: Vec<Item<T>>| listed.into_iter().map(|it| (it.name, it.item));
            (collection, listed.map(|listed| named(listed).collect()))
        };
        Self { collections: join_all(collections.into_iter().map(ask)).await.into_iter().collect() }
    }

    /// What its daemon says of a thing.
    ///
    /// # Errors
    /// The daemon's failure; [`Kind::User`] when it does not know the thing.
    pub fn get(&self, thing: &Resource) -> Result<T, Failure> {
        let unknown = || Failure::new(Kind::User, format!("there is no {thing}"));
        match self.collections.get(&collection(thing)) {
            Some(Ok(items)) => items.get(thing.name()).cloned().ok_or_else(unknown),
            Some(Err(Failure { kind, message, hint, refusal })) => Err(Failure {
                kind: *kind,
                message: message.clone(),
                hint: hint.clone(),
                refusal: *refusal,
            }),
            None => Err(unknown()),
        }
    }
}

/// Where a thing is listed: `/consoles` for `/consoles/panda01`.
fn collection(thing: &Resource) -> Resource {
    let path = thing.path.rsplit_once('/').map_or("", |(collection, _)| collection);
    Resource { path: path.to_owned(), ..thing.clone() }
}
