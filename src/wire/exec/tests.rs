use super::*;
use proptest::prelude::*;

const NO_TIME: Duration = Duration::ZERO;

/// A shell as a terminal shows it: it echoes, and has CR LF for each LF that a command writes.
struct Board {
    prompt: &'static str,
    /// What the command prints, and its status.
    output: String,
    status: u8,
    shell: Shell,
    last: u8,
    typed: String,
}

impl Board {
    /// What the terminal shows of what was typed.
    fn answer(&mut self, typed: &[u8]) -> String {
        let typed = String::from_utf8(typed.to_vec()).unwrap();
        self.typed.push_str(&typed);
        let echo = typed.trim_start_matches('\x15').replace('\r', "\r\n");
        let output = self.output.replace('\n', "\r\n");
        let prompt = self.prompt;
        if typed == "\x15\r" {
            return format!("\r\n{prompt}");
        }
        match self.shell {
            Shell::Posix => {
                let marker = typed.split('\'').nth(1).unwrap();
                let status = self.status;
                let echo = echo.replace("\r\n}", "\r\n> }");
                format!("{echo}\x1b[?2004l\r{marker}b\r\n{output}{marker}e{status}\r\n{prompt}")
            }
            _ if typed == "echo $?\r" => format!("{echo}{}\r\n{prompt}", self.last),
            _ => {
                self.last = self.status;
                format!("{echo}{output}{prompt}")
            }
        }
    }
}

/// What a program sees: the output, and the status.
fn run(board: &mut Board, exec: &mut Exec, begin: &str, cuts: &[usize]) -> (String, Option<u8>) {
    let mut heard = Heard::default();
    heard.push(500, begin.as_bytes());
    let mut coming: Vec<u8> = Vec::new();
    let mut cuts = cuts.iter().cycle();
    let (mut output, mut quiet, mut shown) = (Vec::new(), NO_TIME, 500);
    for _ in 0..10_000 {
        match exec.next(&mut heard, quiet) {
            Next::Type(bytes) => coming.extend(board.answer(&bytes).into_bytes()),
            Next::Show { bytes, at } => {
                assert!(shown <= at.start && bytes.len() as u64 <= at.end - at.start, "{at:?}");
                shown = at.end;
                output.extend(bytes);
            }
            Next::Done(status) => return (String::from_utf8(output).unwrap(), status),
            Next::Failed(why) => panic!("{why}"),
            Next::Wait(until) if coming.is_empty() => {
                quiet = until.expect("nothing comes, and it waits for ever");
                continue;
            }
            Next::Wait(_) => {
                let length = (*cuts.next().unwrap()).min(coming.len());
                heard.push(heard.end(), &coming.drain(..length).collect::<Vec<u8>>());
            }
        }
        quiet = NO_TIME;
    }
    panic!("it does not end; {:?} was typed", board.typed);
}

fn board(shell: Shell, prompt: &'static str, output: &str, status: u8) -> Board {
    let (output, typed) = (output.to_owned(), String::new());
    Board { prompt, output, status, shell, last: 0, typed }
}

fn exec(command: &str) -> Exec {
    Exec::new(command, None, None, "M1x").unwrap()
}

#[test]
fn a_shells_output_is_what_is_between_the_markers_and_its_status_behind_them() {
    let mut linux = board(Shell::Posix, "root@panda:~# ", "Linux\n> # $ => \n", 3);
    let seen = run(&mut linux, &mut exec("uname; false"), "x\r\nroot@panda:~# ", &[1000]);
    assert_eq!(seen, ("Linux\n> # $ => \n".into(), Some(3)));
    assert_eq!(linux.typed, "echo 'M1x''b'; uname; false; echo 'M1x''e'$?\r");
    // Without a line end, and without any output.
    let mut linux = board(Shell::Posix, "# ", "no end", 0);
    assert_eq!(run(&mut linux, &mut exec("printf"), "# ", &[7]), ("no end".into(), Some(0)));
    let mut linux = board(Shell::Posix, "# ", "", 127);
    assert_eq!(run(&mut linux, &mut exec("nosuch"), "# ", &[7]), (String::new(), Some(127)));
}

#[test]
fn u_boots_output_is_what_is_before_its_prompt() {
    let mut u_boot = board(Shell::UBoot, "=> ", "a=> b\nbootdelay=2\n", 0);
    let seen = run(&mut u_boot, &mut exec("printenv"), "=> ", &[3]);
    assert_eq!(seen, ("a=> b\nbootdelay=2\n".into(), Some(0)));
    assert_eq!(u_boot.typed, "printenv\recho $?\r");
    let mut u_boot = board(Shell::UBoot, "U-Boot> ", "no line end", 1);
    let seen = run(&mut u_boot, &mut exec("echo -n"), "U-Boot> ", &[100]);
    assert_eq!(seen, ("no line end".into(), Some(1)));
}

#[test]
fn another_shell_is_told_by_its_prompt_and_has_no_status() {
    let prompt = Expected::ending("uart:~\\$ ").unwrap();
    let mut zephyr = board(Shell::Plain, "uart:~$ ", "Zephyr version 4\n", 0);
    let mut exec = Exec::new("version", Some(Shell::Plain), Some(prompt), "M").unwrap();
    let seen = run(&mut zephyr, &mut exec, "uart:~$ ", &[5]);
    assert_eq!(seen, ("Zephyr version 4\n".into(), None));
}

#[test]
fn a_prompt_that_is_not_there_is_asked_for_and_a_login_is_none() {
    let mut linux = board(Shell::Posix, "# ", "x\n", 0);
    let seen = run(&mut linux, &mut exec("x"), "# reboo", &[100]);
    assert_eq!(seen, ("x\n".into(), Some(0)));
    assert!(linux.typed.starts_with("\x15\recho"), "{:?}", linux.typed);
    let mut heard = Heard::default();
    heard.push(0, b"Debian 12\r\n\r\npanda login: ");
    let next = exec("x").next(&mut heard, READY);
    assert_eq!(next, Next::Failed("it asks for a login: \"panda login: \"".into()));
}

#[test]
fn a_command_of_several_lines_is_typed_whole_and_what_cannot_be_typed_is_refused() {
    let mut linux = board(Shell::Posix, "# ", "", 0);
    run(&mut linux, &mut exec("ls # all\npwd &"), "# ", &[100]);
    assert_eq!(linux.typed, "{ echo 'M1x''b'; ls # all\rpwd &\r}; echo 'M1x''e'$?\r");
    for wrong in ["", " ", "a\x03b", &"x".repeat(MAX_COMMAND + 1)] {
        assert!(Exec::new(wrong, None, None, "M").is_err(), "{wrong:?}");
    }
    for progress in ["TFTP ####", "42 % ", "=>", "#"] {
        let mut heard = Heard::default();
        heard.push(0, progress.as_bytes());
        assert_eq!(exec("x").next(&mut heard, NO_TIME), Next::Wait(Some(READY)), "{progress}");
    }
    let mut heard = Heard::default();
    heard.push(0, b"=> ");
    assert!(matches!(exec("a\nb").next(&mut heard, NO_TIME), Next::Failed(_)));
}

proptest! {
    #[test]
    fn the_output_is_exact_however_it_comes(
        output in "([a-df-z ]|\n|M1xb|M1x|M1|M|=|#){0,40}",
        status: u8,
        cuts in prop::collection::vec(1_usize..12, 1..30),
    ) {
        let mut linux = board(Shell::Posix, "root@panda:~# ", &output, status);
        let seen = run(&mut linux, &mut exec("x"), "root@panda:~# ", &cuts);
        prop_assert_eq!(seen, (output, Some(status)));
    }

    #[test]
    fn u_boots_output_is_exact_too(
        output in "([a-z ]{0,9}\n){0,9}",
        status: u8,
        cuts in prop::collection::vec(1_usize..12, 1..30),
    ) {
        let mut u_boot = board(Shell::UBoot, "=> ", &output, status);
        let seen = run(&mut u_boot, &mut exec("x"), "=> ", &cuts);
        prop_assert_eq!(seen, (output, Some(status)));
    }
}
