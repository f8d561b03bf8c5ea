//! A real browser: Chromium without a window, driven over its DevTools protocol.

use std::cell::{Cell, RefCell};
use std::net::TcpStream;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use crate::common::{Heard, LIMIT, Process, TestLab, wait_until};

/// How long one command may take. Both cores may be busy with other tests.
const COMMAND: Duration = Duration::from_secs(60);

/// A browser with a profile of its own; killed when dropped.
pub(crate) struct Browser {
    wire: Rc<Wire>,
    _process: Process,
    _profile: tempfile::TempDir,
}

/// A tab of it.
pub(crate) struct Page {
    wire: Rc<Wire>,
    session: String,
}

/// The connection.
struct Wire {
    socket: RefCell<WebSocket<TcpStream>>,
    commands: Cell<u64>,
    /// What pages have reported as errors: of scripts, of what may not be loaded.
    errors: RefCell<Vec<String>>,
}

impl Browser {
    #[track_caller]
    pub(crate) fn start(lab: &TestLab) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = lab.tool("chromium");
        command
            .args(["--headless=new", "--disable-gpu", "--no-first-run", "--disable-extensions"])
            .args(["--disable-background-networking", "--disable-component-update", "--mute-audio"])
            .args(["--remote-debugging-port=0", "--disable-dev-shm-usage"])
            // Its sandbox does not work for root, nor in most containers.
            .arg("--no-sandbox")
            // Those of a lab's own CA.
            .arg("--ignore-certificate-errors")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            // What it leaves when it is killed goes with its profile.
            .env("TMPDIR", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = Process::spawn(&mut command);
        let said = Heard::from(process.child().stderr.take().unwrap());
        let begin = said.find(COMMAND, 0, b"DevTools listening on ws://").unwrap();
        let end = said.find(COMMAND, begin, b"\n").unwrap();
        let address = said.text()[begin..end].trim().to_owned();
        let (host, _) = address.split_once('/').unwrap();
        let stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(COMMAND)).unwrap();
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let request = format!("ws://{address}");
        let (socket, _) = tokio_tungstenite::tungstenite::client::client_with_config(
            request,
            stream,
            Some(config),
        )
        .unwrap_or_else(|error| panic!("{error}"));
        let wire = Wire {
            socket: RefCell::new(socket),
            commands: Cell::default(),
            errors: RefCell::default(),
        };
        Self { wire: Rc::new(wire), _process: process, _profile: profile }
    }

    /// Has a page be in front, as one is that a person copies from, and lets its scripts look into the clipboard.
    #[track_caller]
    pub(crate) fn let_use_the_clipboard(&self, page: &Page, origin: &str) {
        let permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"];
        let grant = json!({ "origin": origin, "permissions": permissions });
        self.wire.ask(None, "Browser.grantPermissions", &grant);
        page.ask("Page.bringToFront", &json!({}));
        page.ask("Emulation.setFocusEmulationEnabled", &json!({ "enabled": true }));
    }

    /// Opens a page in a window of 1000 by 700.
    #[track_caller]
    pub(crate) fn open(&self, url: &str) -> Page {
        let target = self.wire.ask(None, "Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.wire.ask(None, "Target.attachToTarget", &attach);
        let session = session["sessionId"].as_str().unwrap().to_owned();
        let page = Page { wire: self.wire.clone(), session };
        for domain in ["Page", "Runtime", "Log"] {
            page.ask(&format!("{domain}.enable"), &json!({}));
        }
        page.resize(1000, 700, false);
        page.go(url);
        page
    }
}

impl Wire {
    #[track_caller]
    fn ask(&self, session: Option<&str>, method: &str, params: &Value) -> Value {
        let answer = self.try_ask(session, method, params);
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The same, or the error that the browser answers.
    fn try_ask(&self, session: Option<&str>, method: &str, params: &Value) -> Result<Value, Value> {
        let id = self.commands.get() + 1;
        self.commands.set(id);
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        let mut socket = self.socket.borrow_mut();
        socket.send(Message::text(command.to_string())).unwrap();
        loop {
            let Message::Text(text) = socket.read().unwrap() else { continue };
            let mut said: Value = serde_json::from_str(&text).unwrap();
            if said["id"] == id {
                return match said["error"].take() {
                    Value::Null => Ok(said["result"].take()),
                    error => Err(error),
                };
            }
            match said["method"].as_str() {
                Some("Runtime.exceptionThrown") => {
                    self.errors.borrow_mut().push(said["params"]["exceptionDetails"].to_string());
                }
                // That a daemon says no is no error of the page.
                Some("Log.entryAdded")
                    if said["params"]["entry"]["level"] == "error"
                        && said["params"]["entry"]["source"] != "network" =>
                {
                    self.errors.borrow_mut().push(said["params"]["entry"].to_string());
                }
                _ => {}
            }
        }
    }
}

impl Page {
    #[track_caller]
    fn ask(&self, method: &str, params: &Value) -> Value {
        self.wire.ask(Some(&self.session), method, params)
    }

    #[track_caller]
    pub(crate) fn go(&self, url: &str) {
        self.ask("Page.navigate", &json!({ "url": url }));
    }

    /// The window is of this size from now on, and perhaps a phone's.
    #[track_caller]
    pub(crate) fn resize(&self, width: u32, height: u32, mobile: bool) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.ask("Emulation.setDeviceMetricsOverride", &size);
        self.ask("Emulation.setTouchEmulationEnabled", &json!({ "enabled": mobile }));
    }

    /// Who looks prefers `light` or `dark` pages from now on.
    #[track_caller]
    pub(crate) fn prefer(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.ask("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
    }

    /// What an expression of JavaScript gives.
    #[track_caller]
    pub(crate) fn eval(&self, script: &str) -> Value {
        self.try_eval(script).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// The same, or why the browser has not evaluated it: the page may have been left meanwhile.
    #[track_caller]
    fn try_eval(&self, script: &str) -> Result<Value, Value> {
        let params = json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        let mut result = self.wire.try_ask(Some(&self.session), "Runtime.evaluate", &params)?;
        assert!(result["exceptionDetails"].is_null(), "{script}: {}", result["exceptionDetails"]);
        Ok(result["result"]["value"].take())
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn expect(&self, what: &str, script: &str) {
        let begin = std::time::Instant::now();
        // Pages that come and go have no value for a moment.
        let script =
            format!("(() => {{ try {{ return Boolean({script}) }} catch {{ return false }} }})()");
        // A page that goes just now answers nothing; the one after it does.
        while self.try_eval(&script) != Ok(json!(true)) {
            if begin.elapsed() > LIMIT {
                let text = self.eval("document.body.innerText");
                let errors = self.errors();
                panic!("still not so: {what}; the page says {text}\nand reports {errors:#?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the terminal shows a text, above the screen or on it.
    #[track_caller]
    pub(crate) fn expect_text(&self, text: &str) {
        let script =
            format!("document.getElementById('terminal').innerText.includes({})", json!(text));
        self.expect(&format!("the terminal shows {text:?}"), &script);
    }

    /// The rows of the terminal, above the screen and on it, without empty ones at its end.
    #[track_caller]
    pub(crate) fn rows(&self) -> Vec<String> {
        let rows =
            self.eval("[...document.querySelectorAll('.row')].map((row) => row.textContent)");
        let mut rows: Vec<String> = serde_json::from_value(rows).unwrap();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }

    /// Types text, a key at a time. Enter is `\r`.
    #[track_caller]
    pub(crate) fn type_text(&self, text: &str) {
        for character in text.chars() {
            match character {
                '\r' => self.key("Enter", 0),
                _ => {
                    let text = character.to_string();
                    let key = json!({ "type": "keyDown", "key": text, "text": text });
                    self.ask("Input.dispatchKeyEvent", &key);
                    self.ask("Input.dispatchKeyEvent", &json!({ "type": "keyUp", "key": text }));
                }
            }
        }
    }

    /// Presses a key by its name; of the modifiers 1 is Alt, 2 Ctrl, 8 Shift.
    #[track_caller]
    pub(crate) fn key(&self, key: &str, modifiers: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "modifiers": modifiers });
            self.ask("Input.dispatchKeyEvent", &event);
        }
    }

    /// Presses Enter as a form hears it.
    #[track_caller]
    pub(crate) fn submit(&self) {
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": "Enter", "windowsVirtualKeyCode": 13 });
            if kind == "keyDown" {
                event["text"] = "\r".into();
            }
            self.ask("Input.dispatchKeyEvent", &event);
        }
    }

    /// Presses a key, as its name, its place and its number in Windows, as hands do: the modifiers, 2 for Ctrl or
    /// 10 for Ctrl and Shift, go down before it, and up behind it.
    #[track_caller]
    pub(crate) fn hold_and_press(&self, modifiers: u32, (key, code, number): (&str, &str, u32)) {
        let event = |kind: &str, (key, code, number): (&str, &str, u32), modifiers: u32| {
            let event = json!({ "type": kind, "key": key, "code": code,
                                "windowsVirtualKeyCode": number, "modifiers": modifiers });
            self.ask("Input.dispatchKeyEvent", &event);
        };
        let held = [("Control", "ControlLeft", 17), ("Shift", "ShiftLeft", 16)];
        let held = &held[..if modifiers == 2 { 1 } else { 2 }];
        let shifted = key.to_uppercase();
        let key = if modifiers == 2 { key } else { shifted.as_str() };
        held.iter().for_each(|it| event("rawKeyDown", *it, modifiers));
        event("rawKeyDown", (key, code, number), modifiers);
        event("keyUp", (key, code, number), modifiers);
        held.iter().rev().for_each(|it| event("keyUp", *it, 0));
    }

    /// Marks with the mouse.
    #[track_caller]
    pub(crate) fn drag(&self, from: (f64, f64), to: (f64, f64)) {
        for (kind, (x, y), buttons) in
            [("mousePressed", from, 1), ("mouseMoved", to, 1), ("mouseReleased", to, 0)]
        {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left",
                                "buttons": buttons, "clickCount": 1 });
            self.ask("Input.dispatchMouseEvent", &event);
        }
    }

    /// The browser's cookies for this page.
    #[track_caller]
    pub(crate) fn cookies(&self) -> Value {
        self.ask("Network.getCookies", &json!({}))["cookies"].take()
    }

    /// Has text come as an input method gives it.
    #[track_caller]
    pub(crate) fn compose(&self, text: &str) {
        self.ask("Input.insertText", &json!({ "text": text }));
    }

    /// Chooses a file in a form.
    #[track_caller]
    pub(crate) fn choose_file(&self, selector: &str, file: &str) {
        let document = self.ask("DOM.getDocument", &json!({}));
        let root = &document["root"]["nodeId"];
        let query = json!({ "nodeId": root, "selector": selector });
        let node = self.ask("DOM.querySelector", &query);
        let chosen = json!({ "nodeId": node["nodeId"], "files": [file] });
        self.ask("DOM.setFileInputFiles", &chosen);
    }

    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        self.expect(
            &format!("{selector} is there, and takes a click"),
            &format!(
                "(() => {{ const it = document.querySelector({}); \
                 return it.getBoundingClientRect().width > 0 && !it.disabled }})()",
                json!(selector)
            ),
        );
        let middle = self.eval(&format!(
            "(() => {{ const it = document.querySelector({}); it.scrollIntoView({{ block: 'nearest' }}); \
             const box = it.getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2] }})()",
            json!(selector)
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1
            });
            self.ask("Input.dispatchMouseEvent", &event);
        }
    }

    /// A picture of the window as it is.
    #[track_caller]
    pub(crate) fn picture(&self) -> Picture {
        let shot = self.ask("Page.captureScreenshot", &json!({ "format": "png" }));
        let data = shot["data"].as_str().unwrap();
        Picture::read(base64::engine::general_purpose::STANDARD.decode(data).unwrap())
    }

    /// What scripts and the browser have reported as errors so far.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.wire.errors.borrow().clone()
    }
}

/// A picture as red, green and blue.
pub(crate) struct Picture {
    pub(crate) file: Vec<u8>,
    width: u32,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    #[track_caller]
    fn read(file: Vec<u8>) -> Self {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(&file));
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut bytes).unwrap();
        let step = frame.color_type.samples();
        assert!(step >= 3, "a picture in colours");
        let pixels =
            bytes[..frame.buffer_size()].chunks(step).map(|p| [p[0], p[1], p[2]]).collect();
        Self { file, width: frame.width, pixels }
    }

    /// How many pixels of a part are of about this colour.
    pub(crate) fn count(&self, [x, y, width, height]: [u32; 4], colour: [u8; 3]) -> usize {
        let near = |pixel: &[u8; 3]| pixel.iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 40);
        let rows = (y..y + height).map(|y| (y * self.width) as usize);
        rows.flat_map(|row| &self.pixels[row + x as usize..row + (x + width) as usize])
            .filter(|pixel| near(pixel))
            .count()
    }
}

/// Waits for something outside of the browser.
#[track_caller]
pub(crate) fn until(what: &str, happened: impl FnMut() -> bool) {
    wait_until(LIMIT, what, happened);
}
