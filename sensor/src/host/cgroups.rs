//! Which unit, container or pod a cgroup is (cgroups(7), systemd.unit(5)).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

use procfs::process::Process;

/// Folders that are looked at; hosts have hundreds.
const FOLDERS: usize = 16_384;
/// Where the kubelet keeps logs, by `namespace_name_uid` of the pod.
const POD_LOGS: &str = "/var/log/pods";

/// Names of cgroups by their id, which is the inode of their folder.
pub type Cgroups = BTreeMap<u64, String>;

/// All cgroups of version 2 that are visible from here; none where there are none.
#[must_use]
pub fn read() -> Cgroups {
    let mut found = Cgroups::new();
    let Some(root) = mounted() else {
        return found;
    };
    let pods = pods(Path::new(POD_LOGS));
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if found.len() == FOLDERS {
                return found;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let path = entry.path();
                let below = path.strip_prefix(&root).unwrap_or(&path);
                found.insert(entry.ino(), name(&below.to_string_lossy(), &pods));
                folders.push(path);
            }
        }
    }
    found
}

/// Where cgroup2 is mounted: /sys/fs/cgroup, or a folder in it beside version 1.
fn mounted() -> Option<PathBuf> {
    let mounts = Process::myself().ok()?.mountinfo().ok()?;
    let mut mounts = mounts.into_iter();
    mounts
        .find(|mount| mount.fs_type == "cgroup2")
        .map(|mount| mount.mount_point)
}

/// Pods of this host by their uid.
fn pods(logs: &Path) -> BTreeMap<String, String> {
    let names = fs::read_dir(logs).into_iter().flatten().flatten();
    names
        .filter_map(|entry| {
            let folder = entry.file_name().into_string().ok()?;
            let mut parts = folder.split('_');
            let (namespace, name, uid) = (parts.next()?, parts.next()?, parts.next()?);
            Some((uid.into(), format!("pod {namespace}/{name}")))
        })
        .collect()
}

/// What a cgroup is called: its pod, its container, its innermost unit, or its path.
fn name(path: &str, pods: &BTreeMap<String, String>) -> String {
    if let Some(uid) = path.split('/').find_map(pod_uid) {
        return pods
            .get(&uid)
            .cloned()
            .unwrap_or_else(|| format!("pod {uid}"));
    }
    let is_unit = |folder: &&str| {
        [".service", ".scope"]
            .iter()
            .any(|kind| folder.ends_with(kind))
    };
    match path.rsplit('/').find(is_unit) {
        Some(unit) => container(unit).unwrap_or_else(|| unit.into()),
        None => format!("/{path}"),
    }
}

/// `kubepods-burstable-pod0a1b_....slice` (systemd) or `pod0a1b-...` (cgroupfs).
fn pod_uid(folder: &str) -> Option<String> {
    let uid = match folder.strip_suffix(".slice") {
        Some(slice) if slice.starts_with("kubepods") => slice.rsplit_once("-pod")?.1,
        Some(_) => return None,
        None => folder.strip_prefix("pod")?,
    };
    let uid = uid.replace('_', "-");
    let is_uid = uid.len() == 36 && uid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    is_uid.then_some(uid)
}

/// `docker-<64 digits>.scope`, as container engines under systemd name them; twelve digits are what they show.
fn container(unit: &str) -> Option<String> {
    let (engine, id) = unit.strip_suffix(".scope")?.rsplit_once('-')?;
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| format!("container {} ({engine})", &id[..12]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0a1b2c3d-0000-4000-8000-00000000abcd";

    fn named(path: &str) -> String {
        let pods = [(UID.to_string(), "pod shop/cart-0".to_string())];
        name(path, &pods.into())
    }

    #[test]
    fn units_containers_and_pods_are_named_as_their_tools_name_them() {
        let uid = UID.replace('-', "_");
        let id = "0123456789abcdef".repeat(4);
        for (path, expected) in [
            ("system.slice/nginx.service".to_string(), "nginx.service"),
            (
                "user.slice/user-1000.slice/user@1000.service/app.slice/firefox.service".into(),
                "firefox.service",
            ),
            (
                "user.slice/user-1000.slice/session-3.scope".into(),
                "session-3.scope",
            ),
            (
                format!("system.slice/docker-{id}.scope"),
                "container 0123456789ab (docker)",
            ),
            (
                format!(
                    "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice/cri-containerd-{id}.scope"
                ),
                "pod shop/cart-0",
            ),
            (
                format!("kubepods/besteffort/pod{UID}/{id}"),
                "pod shop/cart-0",
            ),
            ("lab/client".into(), "/lab/client"),
            ("podman/x".into(), "/podman/x"),
        ] {
            assert_eq!(named(&path), expected, "{path}");
        }
        let other = UID.replace("abcd", "dcba");
        assert_eq!(
            named(&format!("kubepods/pod{other}")),
            format!("pod {other}")
        );
    }

    #[test]
    fn pods_are_found_by_the_folders_of_their_logs() {
        let logs = std::env::temp_dir().join(format!("sensor-pods-{}", std::process::id()));
        fs::create_dir_all(logs.join(format!("shop_cart-0_{UID}"))).expect("made");
        fs::create_dir_all(logs.join("no-pod")).expect("made");
        let found = pods(&logs);
        fs::remove_dir_all(&logs).expect("removed");
        let expected = [(UID.to_string(), "pod shop/cart-0".to_string())];
        assert_eq!(found, BTreeMap::from(expected));
    }
}
