//! The store on a real folder.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::Store;

/// A source with some agents, and a store.
struct Scene {
    folder: TempDir,
    store: Store,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(&folder.path().join("host"));
        let scene = Self { folder, store };
        scene.source_file("java/agent.jar", "one");
        scene.source_file("node/lib/deep.js", "two");
        scene
    }

    fn source_file(&self, path: &str, text: &str) {
        let path = self.folder.path().join("source").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn put(&self) -> PathBuf {
        self.store.put_in_place(&self.folder.path().join("source")).unwrap()
    }
}

fn later(minutes: u64) -> SystemTime {
    SystemTime::now() + Duration::from_mins(minutes)
}

fn ids(ids: &[&str]) -> HashSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn the_same_files_are_put_in_place_once_and_others_beside_them() {
    let scene = Scene::new();
    let first = scene.put();
    let made = fs::metadata(&first).unwrap().created().unwrap();
    assert_eq!((scene.put(), fs::metadata(&first).unwrap().created().unwrap()), (first.clone(), made));
    scene.source_file("java/agent.jar", "newer");
    let second = scene.put();
    assert_ne!(first, second);
    assert_eq!(fs::read_to_string(first.join("java/agent.jar")).unwrap(), "one");
    assert_eq!(fs::read_to_string(second.join("java/agent.jar")).unwrap(), "newer");
}

#[test]
fn what_another_left_half_done_is_swept_and_a_damaged_folder_is_made_anew() {
    let scene = Scene::new();
    let half = scene.store.incoming().join("new/java");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("agent.jar"), "on").unwrap();
    let folder = scene.put();
    assert!(!scene.store.incoming().exists());
    fs::remove_file(folder.join("node/lib/deep.js")).unwrap();
    assert_eq!(scene.put(), folder);
    assert_eq!(fs::read_to_string(folder.join("node/lib/deep.js")).unwrap(), "two");
}

#[test]
fn without_a_source_nothing_is_put_in_place() {
    let scene = Scene::new();
    let error = scene.store.put_in_place(&scene.folder.path().join("nowhere")).unwrap_err();
    assert_eq!(error.category(), "missing");
    assert!(!scene.store.agents().exists());
}

#[test]
fn a_folder_is_collected_once_no_device_in_use_got_it() {
    let scene = Scene::new();
    let old = scene.put();
    scene.store.allocate("java-0", &old, "").unwrap();
    scene.source_file("java/agent.jar", "newer");
    let current = scene.put();
    // Used, however long ago it was given away.
    scene.store.collect(&ids(&["java-0"]), &current, later(60)).unwrap();
    assert!(old.exists());
    // Given away a moment ago: the kubelet may not list it yet.
    scene.store.collect(&ids(&[]), &current, later(1)).unwrap();
    assert!(old.exists());
    scene.store.collect(&ids(&[]), &current, later(60)).unwrap();
    assert!(!old.exists() && current.exists());
    assert!(scene.store.allocated().is_empty());
}

#[test]
fn a_device_that_is_given_away_again_does_not_tell_of_its_last_container() {
    let scene = Scene::new();
    let agents = scene.put();
    let identity = scene.store.allocate("java-0", &agents, "k8s.pod.name=a\n").unwrap().join("identity");
    assert_eq!(fs::read_to_string(&identity).unwrap(), "k8s.pod.name=a\n");
    assert!(!scene.store.identify("java-0", "k8s.pod.name=a\n").unwrap());
    assert!(scene.store.identify("java-0", "k8s.pod.name=b\n").unwrap());
    assert_eq!(fs::read_to_string(&identity).unwrap(), "k8s.pod.name=b\n");
    scene.store.allocate("java-0", &agents, "").unwrap();
    assert!(!identity.exists());
}

#[test]
fn a_device_cannot_be_given_away_with_a_folder_that_has_gone() {
    let scene = Scene::new();
    let agents = scene.put();
    fs::remove_dir_all(&agents).unwrap();
    assert_eq!(scene.store.allocate("java-0", &agents, "").unwrap_err().category(), "missing");
}

#[test]
fn cleaning_leaves_nothing() {
    let scene = Scene::new();
    let agents = scene.put();
    scene.store.allocate("java-0", &agents, "").unwrap();
    scene.store.clean().unwrap();
    assert!(!scene.folder.path().join("host").exists());
    scene.store.clean().unwrap();
    // Somebody of this process who comes too late.
    assert!(scene.store.put_in_place(&scene.folder.path().join("source")).is_err());
    assert!(!scene.folder.path().join("host").exists());
}
