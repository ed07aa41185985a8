//! `sensor status` as a user who may not ask, and as one of a group that may.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use nix::unistd::geteuid;
use sensor::command::status_socket::StatusSocket;
use sensor::view::View;
use tokio::sync::watch;

/// Of nobody.
const USER: u32 = 65_534;
const GROUP: u32 = 54_321;

/// A directory of its own that others can read.
fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sensor-status-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).expect("a directory");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("its owner");
    path
}

/// Where the program is, for a user who may not look into the directories of the build.
fn program(directory: &Path) -> PathBuf {
    let path = directory.join("sensor");
    // By another process: a test beside this one that starts a program at this moment would else hold the copy open for
    // writing, and it could not be run.
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_sensor"))
        .arg(&path)
        .status();
    assert!(copied.expect("cp runs").success());
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("its owner");
    path
}

/// As a user who is not root, of this group.
fn status(directory: &Path, group: u32, arguments: &[&str]) -> Output {
    let mut command = Command::new(program(directory));
    command
        .args(["status", "--run-dir"])
        .arg(directory)
        .args(arguments);
    if geteuid().is_root() {
        command.uid(USER).gid(group);
    }
    command.output().expect("sensor runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A socket that neither the owner, where that is this user, nor others may connect to.
fn forbidden(directory: &Path) -> (UnixListener, PathBuf) {
    let path = directory.join("eth0+eth1-1.sock");
    let listener = UnixListener::bind(&path).expect("bound");
    let mode = if geteuid().is_root() { 0o660 } else { 0 };
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its owner");
    (listener, path)
}

#[test]
fn a_socket_that_this_user_may_not_ask_is_said_with_what_to_do() {
    let directory = directory("forbidden");
    let (_listener, socket) = forbidden(&directory);
    for arguments in [&[][..], &["-i", "eth1"], &["--output", "json"]] {
        let output = status(&directory, USER, arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        let why = format!("this user may not ask the sensor at {}", socket.display());
        assert!(said.contains(&why) && said.contains("as root"), "{said}");
        assert!(
            !said.contains("no sensor") && !said.contains("measuring"),
            "{said}"
        );
    }
    // That sensor does not watch this one.
    let other = text(&status(&directory, USER, &["-i", "eth2"]).stderr);
    assert!(
        other.contains("no sensor watches eth2, and it cannot be measured"),
        "{other}"
    );
    fs::remove_dir_all(directory).expect("removed");
}

#[test]
fn what_no_answer_can_be_read_from_is_said() {
    let directory = directory("broken");
    let path = directory.join("eth0-1.sock");
    let listener = UnixListener::bind(&path).expect("bound");
    fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("its owner");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Who asked may have gone.
            let _ = stream.and_then(|mut stream| stream.write_all(b"{}\n"));
        }
    });
    let output = status(&directory, USER, &[]);
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output.stderr);
    assert!(said.contains("another version of sensor"), "{said}");
    fs::remove_dir_all(directory).expect("removed");
}

#[test]
fn a_socket_that_a_killed_sensor_left_is_no_sensor() {
    let directory = directory("left");
    let path = directory.join("eth0-1.sock");
    drop(UnixListener::bind(&path).expect("bound"));
    fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("its owner");
    let output = status(&directory, USER, &[]);
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output.stderr);
    assert!(said.contains("no sensor runs on this host"), "{said}");
    fs::remove_dir_all(directory).expect("removed");
}

#[tokio::test]
#[ignore = "needs a kernel"]
async fn a_member_of_the_group_of_the_directory_may_ask() {
    let directory = directory("group");
    chown(&directory, None, Some(GROUP)).expect("root");
    let view = View {
        at_ms: 1,
        ..View::empty()
    };
    let (_send, view) = watch::channel(Arc::new(view));
    let socket = StatusSocket::serve(&directory, &["eth0".into()], view).expect("served");
    let name = format!("eth0-{}.sock", std::process::id());
    let data = fs::metadata(directory.join(name)).expect("a socket");
    assert_eq!((data.gid(), data.mode() & 0o777), (GROUP, 0o660));
    let asked = |group| {
        let directory = directory.clone();
        tokio::task::spawn_blocking(move || status(&directory, group, &[]))
    };
    let member = asked(GROUP).await.expect("no panic");
    assert!(
        text(&member.stdout).contains("too early to tell"),
        "{member:?}"
    );
    let stranger = asked(USER).await.expect("no panic");
    let said = text(&stranger.stderr);
    assert!(said.contains(&format!("as a member of {GROUP}")), "{said}");
    drop(socket);
    fs::remove_dir_all(directory).expect("removed");
}
