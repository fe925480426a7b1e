//! Processes are grouped by container, whatever wrote their cgroups.

use epiphyte_api::Language;
use epiphyte_detect::{Scanner, Wanted};

use crate::folder::Folder;

const UID: &str = "0b1f8d4e-6c3a-4d52-9e7f-1a2b3c4d5e6f";

fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

#[test]
fn both_drivers_and_both_versions_of_cgroups_lead_to_the_container() {
    let slice = UID.replace('-', "_");
    for runtime in ["cri-containerd", "crio", "docker"] {
        for path in [
            format!("/kubepods/burstable/pod{UID}/{}", id('a')),
            format!("/kubepods.slice/kubepods-pod{slice}.slice/{runtime}-{}.scope", id('a')),
            format!("/../../kubepods-besteffort-pod{slice}.slice/{runtime}-{}.scope", id('a')),
        ] {
            for file in [format!("0::{path}\n"), format!("3:memory:{path}\n2:cpu,cpuacct:{path}\n0::/\n")] {
                let folder = Folder::new();
                folder.process(10, 1, "/usr/bin/java").cgroup(&file);
                let sightings = Scanner::new(folder.path()).scan(&Wanted::default().pod(UID)).unwrap();
                assert_eq!(sightings.len(), 1, "{file}");
                assert_eq!(sightings[0].pod_uid.as_deref(), Some(UID));
                assert_eq!(sightings[0].container_id, id('a'));
                assert_eq!(sightings[0].runtime.language, Ok(Language::Java));
            }
        }
    }
}

#[test]
fn only_wanted_containers_are_told_and_those_in_order() {
    let folder = Folder::new();
    let cgroup = |container: char| format!("0::/kubepods/pod{UID}/{}\n", id(container));
    folder.process(10, 1, "/usr/bin/node").cgroup(&cgroup('b'));
    folder.process(11, 10, "/usr/bin/node").cgroup(&cgroup('b'));
    folder.process(12, 1, "/usr/bin/java").cgroup(&cgroup('a'));
    folder.process(13, 1, "/usr/bin/python3.11").cgroup(&cgroup('c'));
    folder.process(14, 1, "/usr/sbin/sshd").cgroup("0::/system.slice/ssh.service\n");
    let mut scanner = Scanner::new(folder.path());
    let found = |sightings: Vec<epiphyte_detect::Sighting>| -> Vec<(String, Language)> {
        sightings.into_iter().map(|it| (it.container_id, it.runtime.language.unwrap())).collect()
    };
    let wanted = Wanted::default().container(id('b')).container(id('a')).container(id('f'));
    assert_eq!(found(scanner.scan(&wanted).unwrap()), [(id('a'), Language::Java), (id('b'), Language::JavaScript)]);
    assert_eq!(found(scanner.scan(&Wanted::default().pod(UID)).unwrap()).len(), 3);
    assert_eq!(found(scanner.scan(&Wanted::default()).unwrap()), []);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_that_names_it() {
    let error = Scanner::new("/nowhere/proc").scan(&Wanted::default()).unwrap_err();
    assert!(error.to_string().contains("/nowhere/proc"), "{error}");
}
