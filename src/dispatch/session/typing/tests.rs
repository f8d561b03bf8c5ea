use proptest::prelude::*;

use super::super::Wait;
use super::super::tests::session;
use super::*;
use crate::dispatch::connection::ScriptHandle;
use crate::dispatch::expect::Patterns;

const LINE: &str =
    "setenv bootargs console=ttyAMA0,115200n8 root=/dev/ram0 ip=dhcp panic=5 earlycon";

/// A board with a line editor whose UART keeps only so many bytes of what comes at once. It gives the
/// lines that it was given.
async fn board(mut handle: ScriptHandle, fifo: usize, lines: usize) -> (Vec<String>, ScriptHandle) {
    let (mut line, mut taken) = (String::new(), Vec::new());
    while taken.len() < lines {
        let Some(bytes) = handle.hears.recv().await else { break };
        for &byte in bytes.iter().take(fifo) {
            match byte {
                b'\n' => {
                    taken.push(std::mem::take(&mut line));
                    handle.say("\r\n=> ").await;
                }
                0x15 => line.clear(),
                byte => {
                    line.push(char::from(byte));
                    handle.say(&char::from(byte).to_string()).await;
                }
            }
        }
    }
    (taken, handle)
}

#[tokio::test(start_paused = true)]
async fn a_board_that_keeps_up_gets_the_line_without_any_pause() {
    let (mut session, handle, _dir) = session();
    let begin = Instant::now();
    let (typed, (taken, _)) =
        tokio::join!(session.send_line(LINE, Duration::from_millis(50)), board(handle, 1000, 1));
    assert_eq!((typed, taken), (Ok(()), vec![LINE.to_owned()]));
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_board_that_loses_characters_gets_the_line_in_pieces_that_it_can_take() {
    let (mut session, handle, _dir) = session();
    let typing = async {
        for _ in 0..3 {
            session.send_line(LINE, Duration::ZERO).await?;
        }
        Ok::<_, Error>(())
    };
    let (typed, (taken, _)) = tokio::join!(typing, board(handle, 5, 3));
    assert_eq!((typed, taken), (Ok(()), vec![LINE.to_owned(); 3]));
}

/// The same board, which is at something else for a while before it looks at what has come.
async fn busy_board(
    mut handle: ScriptHandle,
    fifo: usize,
    busy: Duration,
    lines: usize,
) -> (Vec<String>, ScriptHandle) {
    let (mut line, mut taken) = (String::new(), Vec::new());
    while taken.len() < lines {
        let Some(first) = handle.hears.recv().await else { break };
        tokio::time::sleep(busy).await;
        let mut kept = first.to_vec();
        // Its FIFO has no room for more meanwhile.
        while let Ok(more) = handle.hears.try_recv() {
            kept.extend_from_slice(&more);
        }
        kept.truncate(fifo);
        for byte in kept {
            match byte {
                b'\n' => {
                    taken.push(std::mem::take(&mut line));
                    handle.say("\r\n=> ").await;
                }
                0x15 => line.clear(),
                byte => {
                    line.push(char::from(byte));
                    handle.say(&char::from(byte).to_string()).await;
                }
            }
        }
    }
    (taken, handle)
}

/// Types a short line, and waits for the prompt behind it.
async fn version(session: &mut Session) -> Result<(), Error> {
    session.send_line("version", Duration::ZERO).await?;
    let prompt = Patterns::new(["=> "]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    session.expect(&prompt, &Wait { deadline, ..Wait::of("uboot-commands") }).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_board_that_has_echoed_and_is_busy_now_is_waited_for() {
    let (mut session, handle, _dir) = session();
    let typing = async {
        version(&mut session).await?;
        session.send_line(LINE, Duration::ZERO).await
    };
    let boards = async {
        let (first, handle) = board(handle, 16, 1).await;
        let (second, handle) = busy_board(handle, 16, Duration::from_millis(1200), 1).await;
        ([first, second].concat(), handle)
    };
    let (typed, (taken, _)) = tokio::join!(typing, boards);
    assert_eq!((typed, taken), (Ok(()), vec!["version".to_owned(), LINE.to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_board_whose_echo_came_late_is_known_to_echo() {
    let (mut session, handle, _dir) = session();
    let typing = async {
        // Nobody knows better before the first: it fits into what the board keeps.
        version(&mut session).await?;
        session.send_line(LINE, Duration::ZERO).await
    };
    let board = busy_board(handle, 16, Duration::from_millis(700), 2);
    let (typed, (taken, _)) = tokio::join!(typing, board);
    assert_eq!((typed, taken), (Ok(()), vec!["version".to_owned(), LINE.to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_board_that_echoes_no_more_is_waited_for_once() {
    let (mut session, handle, _dir) = session();
    let begin = Instant::now();
    let typing = async {
        version(&mut session).await?;
        for _ in 0..4 {
            session.send_line("silent", Duration::ZERO).await?;
        }
        Ok::<_, Error>(())
    };
    let boards = async {
        let (_, mut handle) = board(handle, 16, 1).await;
        let mut heard = Vec::new();
        for _ in 0..4 {
            heard.push(handle.line().await.unwrap());
        }
        heard
    };
    let (typed, heard) = tokio::join!(typing, boards);
    assert_eq!((typed, heard), (Ok(()), vec!["silent".to_owned(); 4]));
    let most = ECHO_LIMIT + ECHO + Duration::from_millis(100);
    assert!(begin.elapsed() < most, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_board_that_does_not_echo_is_typed_at_with_the_devices_delays() {
    let (mut session, mut handle, _dir) = session();
    let begin = Instant::now();
    let typing = async {
        for _ in 0..4 {
            session.send_line("reboot", Duration::from_millis(10)).await?;
        }
        Ok::<_, Error>(())
    };
    let heard = async {
        let mut heard = Vec::new();
        for _ in 0..4 {
            heard.push(handle.line().await.unwrap());
        }
        heard
    };
    let (typed, heard) = tokio::join!(typing, heard);
    assert_eq!((typed, heard), (Ok(()), vec!["reboot".to_owned(); 4]));
    // The echo is waited for twice; then it is known that there is none.
    assert!(begin.elapsed() < 2 * ECHO + Duration::from_millis(400), "{:?}", begin.elapsed());
}

#[test]
fn an_echo_is_known_among_what_the_board_prints_beside_it() {
    for (said, whole) in [
        ("setenv a 1", true),
        ("# setenv a 1", true),
        ("\x1b[6nsetenv\x1b[K a 1", true),
        ("setenv[   12.3] usb 1-1: new device\r\n a 1", true),
        ("setenv \r\na 1", true),
        ("stenv a 1", false),
        ("setenv 1", false),
        ("[    1.0] nothing of it\r\n", false),
    ] {
        let mut echo = Echo::of("setenv a 1");
        echo.push(said.as_bytes());
        assert_eq!(echo.seen == echo.expected.len(), whole, "{said:?}: {echo:?}");
    }
}

proptest! {
    #[test]
    fn a_lost_character_is_never_taken_for_the_whole_line(at in 0_usize..LINE.len()) {
        let mut damaged = LINE.to_owned();
        let lost = damaged.remove(at);
        // Of two equal characters in a row either may be the lost one.
        prop_assume!(!damaged[at..].starts_with(lost));
        let mut echo = Echo::of(LINE);
        echo.push(damaged.as_bytes());
        prop_assert!(echo.seen < LINE.len());
    }
}
