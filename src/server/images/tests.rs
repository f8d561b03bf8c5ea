use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use sha2::Digest as _;

use super::tidy::UNNAMED;
use super::*;
use crate::model::{Rights, UploadInfo, UploadRequest};
use crate::server::clock::Clock;
use crate::store::FileRow;

async fn images(dir: &std::path::Path, quota: Option<u64>) -> Images {
    let store = Store::open(&Store::file_url(&dir.join("lava.sqlite"))).await.unwrap();
    let keep = Duration::from_secs(24 * 3600);
    let place = dir.join("files").display().to_string();
    let config = ImagesConfig { place, uploads: dir.join("uploads"), quota, keep };
    Images::open(store, config).unwrap()
}

fn asker(user: &str) -> Asker {
    let on = Box::new(|_: &str| Some(Right::Write));
    let (rights, basis) = (Rights::default(), Default::default());
    Asker { user: user.into(), on_all: None, on, rights, basis, spoken_for: false, job: None }
}

fn hash_of(text: &str) -> Sha256 {
    Sha256::of(&sha2::Sha256::digest(text).into())
}

async fn begin(images: &Images, user: &str, text: &str) -> Result<UploadInfo, ImageError> {
    let (size, sha256) = (text.len() as u64, hash_of(text));
    images.begin(UploadRequest { size, sha256, user: None }, user).await
}

async fn send(images: &Images, user: &str, text: &str) -> Result<Sha256, ImageError> {
    let upload = begin(images, user, text).await?;
    if upload.done {
        return Ok(upload.sha256);
    }
    let pieces = stream::iter([Ok::<_, ImageError>(Bytes::from(text.to_owned()))]);
    images.write(&upload.id, user, upload.offset, None, pieces).await.map(|upload| upload.sha256)
}

async fn name(images: &Images, user: &str, name: &str, text: &str) -> Result<(), ImageError> {
    let new =
        NewImage { sha256: hash_of(text), keep_s: None, note: String::new(), vm: None, user: None };
    images.put(name.parse().unwrap(), new, &asker(user)).await.map(drop)
}

/// What is stored, as of these texts.
async fn stored<'a>(images: &Images, texts: &[&'a str]) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for text in texts {
        if images.0.objects.size(&hash_of(text)).await.unwrap().is_some() {
            found.insert(*text);
        }
    }
    found
}

/// Looks as if so much time had passed, by both clocks.
async fn later(images: &Images, clock: &mut Clock, from: (u64, Instant), time: Duration) {
    let us = from.0 + time.as_micros() as u64;
    images.tidy_round(clock, us, from.1 + time).await;
}

#[tokio::test]
async fn a_file_goes_an_hour_after_its_last_name_and_an_image_when_its_time_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let images = images(dir.path(), None).await;
    let all = ["kernel", "nobody's", "kept"];
    for text in all {
        send(&images, "alice", text).await.unwrap();
    }
    for (label, text) in [("a", "kernel"), ("b", "kernel"), ("c", "kept")] {
        name(&images, "alice", label, text).await.unwrap();
    }
    // It cannot be removed, which holds up nothing else.
    let bad = "00".repeat(32);
    std::fs::create_dir_all(dir.path().join("files/00").join(&bad).join("x")).unwrap();
    let row = FileRow { sha256: bad, size: 1, user: "eve".into() };
    images.0.store.put_file(&row).await.unwrap();

    let from = (now_us(), Instant::now());
    let mut clock = Clock::new("nothing is removed", from.0, from.1);
    let minute = Duration::from_secs(60);
    later(&images, &mut clock, from, minute).await;
    later(&images, &mut clock, from, UNNAMED).await;
    assert_eq!(stored(&images, &all).await.len(), 3, "an hour from the first look on");
    images.remove("a", &asker("alice")).await.unwrap();
    images.remove("b", &asker("alice")).await.unwrap();
    later(&images, &mut clock, from, UNNAMED + minute).await;
    assert_eq!(stored(&images, &all).await, ["kept", "kernel"].into());
    // Asked for again, it has its time again.
    assert!(begin(&images, "bob", "kernel").await.unwrap().done);
    later(&images, &mut clock, from, UNNAMED * 2 + minute).await;
    assert_eq!(stored(&images, &all).await, ["kept", "kernel"].into());
    for hours in 3..24 {
        later(&images, &mut clock, from, UNNAMED * hours + minute).await;
    }
    assert_eq!(stored(&images, &all).await, ["kept"].into());
    assert_eq!(images.list().await.unwrap().len(), 1);
    later(&images, &mut clock, from, UNNAMED * 24 + minute).await;
    assert!(images.list().await.unwrap().is_empty());

    // A clock that leaps takes nothing away.
    send(&images, "alice", "kept").await.unwrap();
    name(&images, "alice", "c", "kept").await.unwrap();
    let year = 365 * 24 * 3600 * 1_000_000;
    let real = UNNAMED * 24 + minute * 2;
    images.tidy_round(&mut clock, from.0 + year, from.1 + real).await;
    assert_eq!(images.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_name_is_given_only_to_what_stays() {
    let dir = tempfile::tempdir().unwrap();
    let images = images(dir.path(), None).await;
    for number in 0..20 {
        let text = format!("file {number}");
        send(&images, "alice", &text).await.unwrap();
        let (us, from) = (now_us(), Instant::now());
        let mut clock = Clock::new("nothing is removed", us, from);
        images.tidy_round(&mut clock, us, from).await;
        let label = format!("name{number}");
        let named = name(&images, "alice", &label, &text);
        let tidied = images.tidy_round(&mut clock, us, from + UNNAMED * 2);
        // Who begins is not always the same.
        let named = match number % 2 {
            0 => tokio::join!(named, tidied).0,
            _ => tokio::join!(tidied, named).1,
        };
        let there = stored(&images, &[&text]).await.len() == 1;
        assert_eq!(named.is_ok(), there, "{named:?}");
    }
    // Two want one name: it is one's.
    for text in ["alice's", "bob's"] {
        send(&images, text.split('\'').next().unwrap(), text).await.unwrap();
    }
    let (alices, bobs) = tokio::join!(
        name(&images, "alice", "linux", "alice's"),
        name(&images, "bob", "linux", "bob's")
    );
    assert!(alices.is_ok() != bobs.is_ok(), "{alices:?} {bobs:?}");
    let mistaken = name(&images, "bob", hash_of("other").as_str(), "bob's").await;
    assert!(matches!(mistaken, Err(ImageError::LikeHash(_))), "{mistaken:?}");
}

#[tokio::test]
async fn a_quota_counts_what_has_no_name_and_what_is_on_its_way() {
    let dir = tempfile::tempdir().unwrap();
    let images = images(dir.path(), Some(100_000)).await;
    let [first, second, third] = ["1", "2", "3"].map(|text| text.repeat(60_000));
    // Two at once.
    let (one, other) =
        tokio::join!(begin(&images, "alice", &first), begin(&images, "alice", &second));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let (came, not) = if one.is_ok() { (first, second) } else { (second, first) };
    // What was begun as something small is not more for that.
    let small = UploadRequest { size: 1, sha256: hash_of(&not), user: None };
    images.begin(small, "alice").await.unwrap();
    let quota =
        |tried: Result<UploadInfo, ImageError>| matches!(tried, Err(ImageError::Quota { .. }));
    assert!(quota(begin(&images, "alice", &not).await));
    // Nor when it has come; who needs room loses what has no name.
    send(&images, "alice", &came).await.unwrap();
    begin(&images, "alice", &not).await.unwrap();
    assert!(stored(&images, &[&came]).await.is_empty());
    send(&images, "alice", &not).await.unwrap();
    name(&images, "alice", "linux", &not).await.unwrap();
    assert!(quota(begin(&images, "alice", &third).await));
    images.remove("linux", &asker("alice")).await.unwrap();
    begin(&images, "alice", &third).await.unwrap();
    assert!(!quota(begin(&images, "bob", &came).await), "that is alice's");

    let images = Images::open(
        images.0.store.clone(),
        ImagesConfig { quota: None, ..images.0.config.clone() },
    );
    let images = images.unwrap();
    for number in 0..255 {
        let sha256 = hash_of(&number.to_string()).into();
        let row = FileRow { sha256, size: 1, user: "carol".into() };
        images.0.store.put_file(&row).await.unwrap();
    }
    begin(&images, "carol", "the last one").await.unwrap();
    let more = begin(&images, "carol", "one more").await;
    assert!(matches!(more, Err(ImageError::TooMany { open: 256, .. })), "{more:?}");
}

#[tokio::test]
async fn what_was_left_half_done_goes() {
    let dir = tempfile::tempdir().unwrap();
    let images = images(dir.path(), None).await;
    let hash = send(&images, "alice", "kernel").await.unwrap();
    name(&images, "alice", "kernel", "kernel").await.unwrap();
    begin(&images, "alice", "on its way").await.unwrap();
    let stray = dir.path().join("files").join(&hash.as_str()[..2]).join(format!("{hash}#1"));
    let part = dir.path().join("uploads/0a.part");
    let about = dir.path().join("uploads/0b.json");
    for file in [&stray, &part, &about] {
        std::fs::write(file, "x").unwrap();
    }
    let from = (now_us(), Instant::now());
    let mut clock = Clock::new("nothing is removed", from.0, from.1);
    later(&images, &mut clock, from, Duration::ZERO).await;
    std::fs::write(&stray, "it grows").unwrap();
    later(&images, &mut clock, from, UNNAMED).await;
    assert_eq!([&stray, &part, &about].map(|file| file.exists()), [true, false, false]);
    later(&images, &mut clock, from, UNNAMED * 2).await;
    assert!(!stray.exists());
    assert_eq!(images.uploads().await.len(), 1);
    assert_eq!(stored(&images, &["kernel"]).await.len(), 1);
}
