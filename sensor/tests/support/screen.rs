//! The real program in a pseudo-terminal.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Between two looks at the screen.
const LOOK: Duration = Duration::from_millis(5);

/// A program on a terminal of its own; killed when dropped.
pub struct Screen {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    parser: Arc<Mutex<vt100::Parser>>,
    reader: JoinHandle<()>,
}

impl Screen {
    /// Starts the sensor with these arguments.
    pub fn start(arguments: &[&str], columns: u16, rows: u16) -> Self {
        Self::with(arguments, columns, rows, true)
    }

    /// The same, and nobody reads what it writes.
    pub fn deaf(arguments: &[&str], columns: u16, rows: u16) -> Self {
        Self::with(arguments, columns, rows, false)
    }

    fn with(arguments: &[&str], columns: u16, rows: u16, reads: bool) -> Self {
        let pty = native_pty_system();
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = pty.openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_sensor"));
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env_remove("NO_COLOR");
        let child = pair.slave.spawn_command(command).expect("sensor runs");
        drop(pair.slave);
        let mut out = pair.master.try_clone_reader().expect("a reader");
        let parser = Arc::new(Mutex::new(vt100::Parser::new(
            lines(rows),
            lines(columns),
            0,
        )));
        let shown = parser.clone();
        let reader = spawn(move || {
            let mut bytes = [0; 4096];
            // It ends with an error where the program has ended.
            while reads && let Ok(many @ 1..) = out.read(&mut bytes) {
                shown.lock().expect("whole").process(&bytes[..many]);
            }
        });
        let keys = pair.master.take_writer().expect("a writer");
        Self {
            child,
            master: pair.master,
            keys,
            parser,
            reader,
        }
    }

    /// Its rows now.
    pub fn rows(&self) -> Vec<String> {
        let parser = self.parser.lock().expect("whole");
        let (_, columns) = parser.screen().size();
        parser.screen().rows(0, columns.get()).collect()
    }

    /// Whether the program has the whole screen.
    pub fn is_full(&self) -> bool {
        let parser = self.parser.lock().expect("whole");
        parser.screen().alternate_screen()
    }

    /// Waits until the screen is as it should be, and says how long it took.
    pub fn wait(&self, what: &str, most: Duration, is: impl Fn(&[String]) -> bool) -> Duration {
        let begun = Instant::now();
        loop {
            let rows = self.rows();
            if is(&rows) {
                return begun.elapsed();
            }
            assert!(
                begun.elapsed() < most,
                "{what} after {most:?}, but\n{}",
                rows.join("\n")
            );
            sleep(LOOK);
        }
    }

    /// Presses keys that draw other screens, until it waits for a terminal that does not read.
    pub fn press_until_blocked(&mut self, keys: &str, most: Duration) {
        let begun = Instant::now();
        let tasks = format!("/proc/{}/task", self.pid());
        let is_blocked = || {
            let mut threads = std::fs::read_dir(&tasks).expect("it runs").flatten();
            threads.any(|thread| {
                let read = |what: &str| std::fs::read_to_string(thread.path().join(what));
                // write(2) is system call 1 of x86-64 and 64 of arm64.
                read("comm").is_ok_and(|name| name.trim() == "screen")
                    && read("syscall")
                        .is_ok_and(|call| call.starts_with("1 ") || call.starts_with("64 "))
            })
        };
        for key in keys.chars().cycle() {
            if is_blocked() {
                break;
            }
            assert!(begun.elapsed() < most, "it never waits");
            self.press(&key.to_string());
            // So that each key has its frame.
            sleep(LOOK);
        }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("written");
        self.keys.flush().expect("written");
    }

    /// Makes the terminal larger or smaller.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let mut parser = self.parser.lock().expect("whole");
        parser.screen_mut().set_size(lines(rows), lines(columns));
        self.master.resize(size).expect("resized");
    }

    /// Writes over the screen, as a shell does.
    pub fn scribble(&self) {
        let mut parser = self.parser.lock().expect("whole");
        parser.process(b"\x1b[2J\x1b[H$ ");
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        let pid = self.child.process_id().expect("it runs");
        i32::try_from(pid).expect("a process")
    }

    /// Waits until it ends and all that it wrote is on the screen; whether it did so well.
    pub fn ends(&mut self, most: Duration) -> bool {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child")
                && self.reader.is_finished()
            {
                if !status.success() {
                    println!("{status:?}\n{}", self.rows().join("\n"));
                }
                return status.success();
            }
            assert!(begun.elapsed() < most, "it runs still");
            sleep(LOOK);
        }
    }
}

/// Rows or columns: at least one.
fn lines(many: u16) -> NonZero<u16> {
    NonZero::new(many).expect("at least one")
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
