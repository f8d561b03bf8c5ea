use proptest::prelude::*;

use super::*;

/// A board's side, block by block: `ack` says what is acknowledged after a packet was received.
struct Board(UdpSocket);

impl Board {
    async fn ask(server: &Server, path: &str, options: &[(&str, &str)]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut packet = vec![0, 1];
        for text in [path, "octet"].into_iter().chain(options.iter().flat_map(|(a, b)| [*a, *b])) {
            packet.extend_from_slice(text.as_bytes());
            packet.push(0);
        }
        socket.send_to(&packet, server.address()).await.unwrap();
        Self(socket)
    }

    /// The next packet; from the first one on it talks to who sent it.
    async fn hear(&self) -> Vec<u8> {
        let mut packet = vec![0; MAX_BLOCK + 4];
        let (length, from) = self.0.recv_from(&mut packet).await.unwrap();
        self.0.connect(from).await.unwrap();
        packet.truncate(length);
        packet
    }

    async fn ack(&self, number: u16) {
        let packet = [ACK.to_be_bytes(), number.to_be_bytes()].concat();
        self.0.send(&packet).await.unwrap();
    }
}

async fn served(bytes: &[u8]) -> (Server, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("7")).unwrap();
    std::fs::write(dir.path().join("7/Image"), bytes).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("7/out")).unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    (Server::start(any, dir.path().to_owned()).await.unwrap(), dir)
}

#[tokio::test]
async fn a_file_is_sent_block_by_block_to_a_board_without_options() {
    let bytes: Vec<u8> = (0..1024_u32).map(|i| i as u8).collect();
    let (server, _dir) = served(&bytes).await;
    let board = Board::ask(&server, "7/Image", &[]).await;
    let mut got = Vec::new();
    // Its length is a multiple of the block's, so that an empty block ends it.
    for (number, length) in [(1, 512), (2, 512), (3, 0)] {
        let packet = board.hear().await;
        assert_eq!(packet[..4], [0, 3, 0, number]);
        assert_eq!(packet.len() - 4, length);
        got.extend_from_slice(&packet[4..]);
        board.ack(u16::from(number)).await;
    }
    assert_eq!(got, bytes);
}

#[tokio::test]
async fn options_are_taken_and_a_lost_block_of_a_window_is_sent_again() {
    let bytes = vec![7; 4000];
    let (server, _dir) = served(&bytes).await;
    let options = [("blksize", "1000"), ("windowsize", "3"), ("tsize", "0"), ("what", "x")];
    let board = Board::ask(&server, "/7/Image", &options).await;
    assert_eq!(board.hear().await, b"\0\x06blksize\x001000\0windowsize\x003\0tsize\x004000\0");
    board.ack(0).await;
    for number in 1..=3 {
        assert_eq!(board.hear().await[..4], [0, 3, 0, number]);
    }
    // The last two were lost on the way.
    board.ack(1).await;
    for number in [2, 3, 4] {
        let packet = board.hear().await;
        assert_eq!((&packet[..4], packet.len()), (&[0, 3, 0, number][..], 1004));
    }
    board.ack(4).await;
    assert_eq!(board.hear().await, [0, 3, 0, 5]);
    board.ack(5).await;
}

#[tokio::test]
async fn nothing_outside_of_the_folder_is_read_and_nothing_is_written() {
    let (server, _dir) = served(b"x").await;
    for path in ["../etc/passwd", "7/../../etc/passwd", "7/out", "7", "none"] {
        let packet = Board::ask(&server, path, &[]).await.hear().await;
        assert_eq!(packet[..4], [0, 5, 0, 1], "{path}: {packet:?}");
    }
    let board = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    board.send_to(b"\0\x02new\0octet\0", server.address()).await.unwrap();
    assert_eq!(Board(board).hear().await[..4], [0, 5, 0, 2]);
}

#[tokio::test]
async fn curl_fetches_a_large_file_and_is_told_that_another_is_not_there() {
    let bytes: Vec<u8> = (0..40_000_000_u32).map(|i| (i / 7) as u8).collect();
    let (server, dir) = served(&bytes).await;
    let got = dir.path().join("got");
    let curl = |path: &str| {
        let url = format!("tftp://{}/{path}", server.address());
        let mut curl = tokio::process::Command::new("curl");
        curl.args(["-sS", "--noproxy", "*", "--tftp-blksize", "1400", &url, "-o"]).arg(&got);
        curl
    };
    // 28,572 blocks of 1,400 bytes and, without options, 78,126 of 512: the numbers wrap around.
    assert!(curl("7/Image").status().await.unwrap().success());
    assert!(std::fs::read(&got).unwrap() == bytes, "curl got something else");
    let mut plain = curl("7/Image");
    assert!(plain.arg("--tftp-no-options").status().await.unwrap().success());
    assert!(std::fs::read(&got).unwrap() == bytes, "curl got something else without options");
    let said = curl("7/none").output().await.unwrap();
    assert_eq!(said.status.code(), Some(68), "{said:?}");
}

proptest! {
    #[test]
    fn no_packet_is_too_odd(packet in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Request::parse(&packet);
    }
}
