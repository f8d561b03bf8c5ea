//! The image store.

use askama::Template;
use axum::Extension;

use super::super::images as api;
use super::shown::{Moment, size};
use super::{By, Page, Top, made};
use crate::model::ImageInfo;
use crate::server::Images;

#[derive(Template)]
#[template(path = "images.html")]
struct ImagesPage {
    top: Top,
    rows: Vec<Row>,
    /// Of all together.
    size: String,
}

struct Row {
    size: String,
    made: Moment,
    until: Option<Moment>,
    /// The first digits of its hash.
    short: String,
    image: ImageInfo,
}

pub(super) async fn page(Extension(images): Extension<Images>, caller: By) -> Page {
    let Extension(caller) = caller;
    let images = api::list(Extension(images), Extension(caller.clone())).await?.0;
    let all = images.iter().map(|image| image.size).fold(0, u64::saturating_add);
    let rows = images.into_iter().map(row).collect();
    made(&ImagesPage { top: Top::new("images", "Images", &caller), rows, size: size(all) })
}

fn row(image: ImageInfo) -> Row {
    Row {
        size: size(image.size),
        made: Moment(image.made_us),
        until: image.until_us.map(Moment),
        short: image.sha256.as_str().chars().take(12).collect(),
        image,
    }
}
