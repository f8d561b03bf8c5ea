//! The query of a request, with our own words for what is wrong with it.

use axum::extract::FromRequestParts;
use axum::extract::Query;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::ApiError;
use crate::model::{Failure, Kind};

/// Like axum's `Query`, but a bad query is answered as every other failure.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => {
                let message = crate::model::failure::chain(&rejection);
                Err(Failure::new(Kind::User, message).into())
            }
        }
    }
}
