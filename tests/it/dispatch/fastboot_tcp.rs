//! The real `fastboot` program and a board that speaks fastboot over TCP as a script has it
//! (AOSP, system/core/fastboot: README.md, "TCP Protocol v1").

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;

use super::dialogue::{HEAD, complete};
use crate::common::{LIMIT, TestLab, needs, run};

/// The largest message that the board takes.
const MAX: usize = 1 << 20;

fn take(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    client.read_exact(&mut length)?;
    let length = usize::try_from(u64::from_be_bytes(length)).unwrap().min(MAX);
    let mut message = vec![0; length];
    client.read_exact(&mut message)?;
    Ok(message)
}

fn say(client: &mut TcpStream, message: &str) -> io::Result<()> {
    client.write_all(&(message.len() as u64).to_be_bytes())?;
    client.write_all(message.as_bytes())
}

/// One connection of the program's; what it did is told.
fn talk(mut client: TcpStream, told: &mpsc::Sender<(String, Vec<u8>)>) -> io::Result<()> {
    client.set_read_timeout(Some(LIMIT))?;
    client.write_all(b"FB01")?;
    client.read_exact(&mut [0; 4])?;
    let mut held = Vec::new();
    loop {
        let command = String::from_utf8_lossy(&take(&mut client)?).into_owned();
        let answer = match command.split_once(':') {
            Some(("getvar", "version")) => "OKAY0.4".to_owned(),
            Some(("getvar", "max-download-size")) => "OKAY0x10000".to_owned(),
            Some(("getvar", _)) => "FAILthere is no such variable".to_owned(),
            Some(("download", size)) => {
                say(&mut client, &format!("DATA{size}"))?;
                let size = usize::from_str_radix(size, 16).unwrap();
                held.clear();
                while held.len() < size {
                    held.extend(take(&mut client)?);
                }
                "OKAY".to_owned()
            }
            _ => {
                told.send((command, std::mem::take(&mut held))).unwrap();
                "OKAY".to_owned()
            }
        };
        say(&mut client, &answer)?;
    }
}

/// A board in fastboot behind a port of this host; each command that it is given is told, with what it was to
/// take in before.
pub(super) fn board() -> (u16, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            // The program hangs up when it is done.
            let _ = talk(client, &tell);
        }
    });
    (port, told)
}

#[test]
fn the_real_fastboot_flashes_a_board_over_tcp() {
    needs(Path::new("/usr/bin/fastboot"));
    let lab = TestLab::new();
    let (port, told) = board();
    let (boot, root) = (lab.write("boot.img", "a kernel"), lab.write("rootfs.img", "a root"));
    let mut zip = lab.tool("/usr/bin/python3");
    let zipped = run(zip.args(["-m", "zipfile", "-c", "rootfs.zip", &root]), "", LIMIT);
    assert!(zipped.status.success(), "{zipped:?}");
    let root = lab.path("rootfs.zip").display().to_string();
    let device = format!(
        "hostname: db845c
fastboot_serial_number: tcp:127.0.0.1:{port}
flash_cmds_order: [boot, rootfs]
actions:
  deploy: {{methods: {{fastboot: }}}}
  boot: {{methods: {{fastboot: [reboot]}}}}
"
    );
    let job = format!(
        "{HEAD}- deploy:
    to: fastboot
    images:
      rootfs: {{url: 'file://{root}', compression: zip}}
      boot: {{url: 'file://{boot}'}}
- boot: {{method: fastboot}}
"
    );
    complete(&lab, &job, &device);
    let told: Vec<(String, Vec<u8>)> = told.try_iter().collect();
    let flashed = |partition: &str| {
        let command = format!("flash:{partition}");
        told.iter().find(|(done, _)| *done == command).map(|(_, image)| image.clone())
    };
    assert_eq!(flashed("boot").as_deref(), Some(&b"a kernel"[..]), "{told:?}");
    assert_eq!(flashed("rootfs").as_deref(), Some(&b"a root"[..]), "{told:?}");
    assert_eq!(told.last().map(|(done, _)| done.as_str()), Some("reboot"), "{told:?}");
}
