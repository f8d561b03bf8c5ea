use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::*;

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// A server that gives one answer per connection, and what it was asked.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/file", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let all = asked.clone();
        TaskTracker::new().spawn(async move {
            for answer in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(socket.read_u8().await.unwrap());
                }
                all.lock().unwrap().push(String::from_utf8(request).unwrap().to_lowercase());
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(status: &str, headers: &str, length: usize, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

async fn get(
    fetch: &Fetch,
    url: &str,
    digest: Option<&Digest>,
    to: &Path,
) -> Result<Got, FetchError> {
    let wanted = Wanted { url, headers: &BTreeMap::new(), digest, to };
    fetch.get(&wanted, &|_, _| {}).await
}

#[tokio::test]
async fn a_file_url_is_copied_and_its_checksum_compared() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::write(&from, "abc").unwrap();
    let fetch = Fetch::default();
    let url = format!("file://{}", from.display());
    let right = Digest::Sha256(ABC.into());
    assert_eq!(get(&fetch, &url, Some(&right), &to).await.unwrap().size, 3);
    assert_eq!(std::fs::read(&to).unwrap(), b"abc");

    std::fs::remove_file(&to).unwrap();
    let wrong = Digest::Sha256("0".repeat(64));
    let told = get(&fetch, &url, Some(&wrong), &to).await.unwrap_err().to_string();
    assert!(told.contains(ABC), "{told}");
    assert!(!to.exists());
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let fetch = Fetch::default();
    let none = BTreeMap::new();
    let told = fetch.probe("file:///no/such/file", &none).await.unwrap_err().to_string();
    assert!(told.starts_with("/no/such/file: "), "{told}");
    let told = fetch.probe("ftp://host/x", &none).await.unwrap_err().to_string();
    assert!(told.contains("no http, https or file URL"), "{told}");
}

#[tokio::test]
async fn a_transfer_that_breaks_off_is_gone_on_with_where_it_stopped() {
    let etag = "ETag: \"v1\"\r\n";
    let range = format!("{etag}Content-Range: bytes 1-2/3\r\n");
    let server = Server::start(vec![
        answer("200 OK", etag, 3, "a"),
        answer("206 Partial Content", &range, 2, "bc"),
    ])
    .await;
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("to");
    let seen = Mutex::new(Vec::new());
    let right = Digest::Sha256(ABC.into());
    let wanted =
        Wanted { url: &server.url, headers: &BTreeMap::new(), digest: Some(&right), to: &to };
    let told = |length, total| seen.lock().unwrap().push((length, total));
    let got = Fetch::default().get(&wanted, &told).await.unwrap();
    assert_eq!(got, Got { size: 3, cached: false });
    assert_eq!(std::fs::read(&to).unwrap(), b"abc");
    let asked = &server.asked()[1];
    assert!(asked.contains("range: bytes=1-\r\n") && asked.contains("if-range: \"v1\""), "{asked}");
    assert_eq!(*seen.lock().unwrap(), [(1, Some(3)), (3, Some(3))]);
}

#[tokio::test]
async fn another_version_of_a_file_is_begun_anew() {
    let server = Server::start(vec![
        answer("200 OK", "ETag: \"v1\"\r\n", 3, "x"),
        answer("200 OK", "ETag: \"v2\"\r\n", 3, "abc"),
    ])
    .await;
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("to");
    get(&Fetch::default(), &server.url, None, &to).await.unwrap();
    assert_eq!(std::fs::read(&to).unwrap(), b"abc");
}

#[tokio::test]
async fn what_has_not_changed_comes_from_the_cache_and_so_does_a_known_hash() {
    let server = Server::start(vec![
        answer("200 OK", "ETag: \"v1\"\r\n", 3, "abc"),
        "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".into(),
    ])
    .await;
    let dir = tempfile::tempdir().unwrap();
    let fetch = Fetch::default().with_cache(Some(dir.path().join("cache")));
    let to = dir.path().join("to");
    assert!(!get(&fetch, &server.url, None, &to).await.unwrap().cached);
    assert_eq!(get(&fetch, &server.url, None, &to).await.unwrap(), Got { size: 3, cached: true });
    assert_eq!(std::fs::read(&to).unwrap(), b"abc");
    let asked = &server.asked()[1];
    assert!(asked.contains("if-none-match: \"v1\""), "{asked}");
    // Nobody is asked: the hash says which file it is. Another server's file it may be as well.
    let hash = Digest::Sha256(ABC.into());
    assert!(get(&fetch, "http://127.0.0.1:1/x", Some(&hash), &to).await.unwrap().cached);
}

#[tokio::test]
async fn what_is_said_to_head_is_no_answer_to_get_and_both_are_asked_as_the_job_says() {
    let no = answer("403 Forbidden", "", 0, "");
    let server = Server::start(vec![no.clone(), answer("200 OK", "", 3, "abc"), no.clone(), no]);
    let (server, fetch) = (server.await, Fetch::default());
    let headers = BTreeMap::from([("PRIVATE-TOKEN".to_owned(), "s3cret".to_owned())]);
    fetch.probe(&server.url, &headers).await.unwrap();
    let error = fetch.probe(&server.url, &headers).await.unwrap_err();
    assert!(!error.may_pass() && error.to_string().ends_with("403 Forbidden"), "{error}");
    let asked = server.asked();
    assert!(asked[0].starts_with("head ") && asked[1].starts_with("get "), "{asked:?}");
    assert!(asked.iter().all(|asked| asked.contains("private-token: s3cret")), "{asked:?}");
    let refused = fetch.probe("http://127.0.0.1:1/x", &headers).await.unwrap_err();
    assert!(refused.may_pass(), "{refused}");
}

#[tokio::test]
async fn another_try_goes_on_where_the_last_one_has_failed() {
    let etag = "ETag: \"v1\"\r\n";
    let range = format!("{etag}Content-Range: bytes 1-2/3\r\n");
    let server = Server::start(vec![
        answer("200 OK", etag, 3, "a"),
        answer("404 Not Found", "", 0, ""),
        answer("206 Partial Content", &range, 2, "bc"),
    ])
    .await;
    let dir = tempfile::tempdir().unwrap();
    let (fetch, to) = (Fetch::default(), dir.path().join("to"));
    let right = Digest::Sha256(ABC.into());
    assert!(get(&fetch, &server.url, Some(&right), &to).await.is_err());
    assert_eq!(get(&fetch, &server.url, Some(&right), &to).await.unwrap().size, 3);
    let asked = &server.asked()[2];
    assert!(asked.contains("range: bytes=1-\r\n") && asked.contains("if-range: \"v1\""), "{asked}");
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(left, [to]);
}

#[tokio::test]
async fn a_file_of_the_cache_that_lost_its_end_is_fetched_again() {
    let whole = answer("200 OK", "ETag: \"v1\"\r\n", 3, "abc");
    let same = "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n";
    let server = Server::start(vec![whole.clone(), same.into(), whole.clone(), whole]).await;
    let dir = tempfile::tempdir().unwrap();
    let fetch = Fetch::default().with_cache(Some(dir.path().join("cache")));
    let (to, hash) = (dir.path().join("to"), Digest::Sha256(ABC.into()));
    get(&fetch, &server.url, None, &to).await.unwrap();
    let kept = dir.path().join("cache").join(format!("sha256-{ABC}"));
    for digest in [None, Some(&hash)] {
        std::fs::write(&kept, "a").unwrap();
        let got = get(&fetch, &server.url, digest, &to).await.unwrap();
        assert_eq!(got, Got { size: 3, cached: false });
        assert_eq!(
            (std::fs::read(&to).unwrap(), std::fs::read(&kept).unwrap()),
            (b"abc".into(), b"abc".into())
        );
    }
}
