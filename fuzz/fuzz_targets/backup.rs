//! A backup that somebody was at: it is a lab that can be written out again, or nothing of it is there.
#![no_main]

use std::sync::LazyLock;

use lavamux::store::Store;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

// Unless it begins with one, the first line is that of a backup, so that the others are looked at.
fuzz_target!(|data: &[u8]| {
    let head = b"{\"lava_backup\":1,\"schema\":1,\"made_us\":1,\"version\":\"0\"}\n";
    let head: &[u8] = if data.starts_with(b"{\"lava_backup\"") { b"" } else { head };
    let text = [head, data].concat();
    let dir = tempfile::tempdir().unwrap();
    let url = Store::file_url(&dir.path().join("lava.sqlite"));
    RUNTIME.block_on(async {
        match Store::restore(&url, &mut text.as_slice()).await {
            Ok(rows) => {
                let mut again = Vec::new();
                assert_eq!(Store::dump(&url, &mut again).await.unwrap(), rows);
                // … and it is one that a server opens.
                Store::open(&url).await.unwrap().close().await;
            }
            Err(_) => Store::is_empty(&url).await.unwrap(),
        }
    });
});
