//! Debian's Chromium without a window, over the Chrome `DevTools` Protocol on two pipes: descriptors 3 and 4.

use std::cell::{Cell, RefCell};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};

/// Far longer than anything takes, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at a page.
const LOOK: Duration = Duration::from_millis(20);

/// A browser with one page.
pub struct Chromium {
    child: Child,
    commands: RefCell<File>,
    messages: Receiver<Value>,
    events: RefCell<Vec<Value>>,
    next: Cell<u64>,
    session: RefCell<Option<String>>,
    folder: PathBuf,
}

impl Chromium {
    pub fn start(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("sensor-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        let [to, from] = ["to", "from"].map(|name| folder.join(name));
        for pipe in [&to, &from] {
            mkfifo(pipe, Mode::S_IRWXU).expect("a pipe");
        }
        let child = Command::new("sh")
            // A shell puts pipes on descriptors 3 and 4; it waits until their other ends are opened.
            .args([
                "-c",
                "exec 3<\"$1\" 4>\"$2\"; shift 2; exec chromium \"$@\"",
                "sh",
            ])
            .args([&to, &from])
            .args([
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--no-proxy-server",
                "--hide-scrollbars",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-dev-shm-usage",
            ])
            .arg(format!(
                "--user-data-dir={}",
                folder.join("profile").display()
            ))
            .env("HOME", &folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let commands = OpenOptions::new().write(true).open(&to).expect("a reader");
        let answers = File::open(&from).expect("a writer");
        let (send, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(answers).split(0) {
                let Ok(message) = message else { return };
                let value = serde_json::from_slice(&message).expect("JSON");
                if send.send(value).is_err() {
                    return;
                }
            }
        });
        let browser = Self {
            child,
            commands: RefCell::new(commands),
            messages,
            events: RefCell::default(),
            next: Cell::new(0),
            session: RefCell::default(),
            folder,
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", &attach);
        *browser.session.borrow_mut() = session["sessionId"].as_str().map(Into::into);
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Calls a method and waits for its result.
    pub fn call(&self, method: &str, parameters: &Value) -> Value {
        self.ask(method, parameters)
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// As [`Self::call`], with the error that the browser tells.
    fn ask(&self, method: &str, parameters: &Value) -> Result<Value, Value> {
        let id = self.next.get() + 1;
        self.next.set(id);
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &*self.session.borrow() {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let mut commands = self.commands.borrow_mut();
        commands.write_all(&bytes).expect("the browser reads");
        let start = Instant::now();
        loop {
            let message = self.message(PATIENCE.saturating_sub(start.elapsed()));
            let mut message = message.unwrap_or_else(|| panic!("no answer to {method}"));
            if message["id"] == id {
                return match message.get_mut("error") {
                    Some(error) => Err(error.take()),
                    None => Ok(message["result"].take()),
                };
            }
            self.events.borrow_mut().push(message);
        }
    }

    fn message(&self, patience: Duration) -> Option<Value> {
        match self.messages.recv_timeout(patience) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the browser has ended"),
        }
    }

    /// The value of an expression in the page.
    pub fn value(&self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let start = Instant::now();
        let result = loop {
            match self.ask("Runtime.evaluate", &parameters) {
                Ok(result) => break result,
                // The page refreshed itself meanwhile: the new one is asked.
                Err(error)
                    if error["message"] == "Inspected target navigated or closed"
                        && start.elapsed() < PATIENCE => {}
                Err(error) => panic!("{expression}: {error}"),
            }
        };
        assert!(
            result.get("exceptionDetails").is_none(),
            "{expression}: {result}"
        );
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true; how long that took.
    pub fn wait_for(&self, expression: &str) -> Duration {
        let start = Instant::now();
        // Between two documents there is none to look at.
        let now = format!("Boolean(document.body) && Boolean({expression})");
        while self.value(&now) != true {
            assert!(
                start.elapsed() < PATIENCE,
                "never true: {expression}; the page: {}",
                self.value("document.body.innerText")
            );
            std::thread::sleep(LOOK);
        }
        start.elapsed()
    }

    /// Loads an address and waits until all of it is there.
    pub fn open(&self, url: &str) {
        self.call("Page.navigate", &json!({ "url": url }));
        self.wait_for(&format!(
            "location.href.startsWith({url:?}) && document.readyState === 'complete'"
        ));
    }

    /// A window of this size, in light or dark.
    pub fn show(&self, width: u32, height: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call(
            "Emulation.setEmulatedMedia",
            &json!({ "features": features }),
        );
    }

    /// Presses a key and lets it go.
    pub fn press(&self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            other => panic!("{other} has no code here"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// A picture of the window, as a file.
    pub fn picture(&self, path: &Path) {
        let png = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        let text = png["data"].as_str().expect("base64");
        let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes.expect("base64")).expect("written");
    }

    /// Addresses that were asked for, and what the console had to complain of.
    pub fn asked_and_complaints(&self) -> (Vec<String>, Vec<String>) {
        // What was sent before the answer to this was sent before it.
        self.value("1");
        let (mut asked, mut complaints) = (Vec::new(), Vec::new());
        for event in &*self.events.borrow() {
            let parameters = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Network.requestWillBeSent" => {
                    asked.extend(parameters["request"]["url"].as_str().map(Into::into));
                }
                "Network.webSocketCreated" => {
                    asked.extend(parameters["url"].as_str().map(Into::into));
                }
                "Runtime.exceptionThrown" => complaints.push(parameters.to_string()),
                "Runtime.consoleAPICalled"
                    if ["error", "warning"]
                        .map(Value::from)
                        .contains(&parameters["type"]) =>
                {
                    complaints.push(parameters.to_string());
                }
                "Log.entryAdded"
                    if ["error", "warning"]
                        .map(Value::from)
                        .contains(&parameters["entry"]["level"]) =>
                {
                    complaints.push(parameters.to_string());
                }
                _ => {}
            }
        }
        (asked, complaints)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It ends its own children.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
