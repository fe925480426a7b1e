//! Containers that mean harm.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use epiphyte_api::Language;
use epiphyte_detect::{Runtime, Scanner};

use crate::folder::Folder;

fn look(folder: &Folder) -> Runtime {
    Scanner::new(folder.path()).look(&[10])
}

#[test]
fn links_out_of_the_container_are_followed_inside_of_it() {
    let folder = Folder::new();
    let secret = folder.path().join("secret");
    fs::write(&secret, "JAVA_VERSION=\"6.6.6\"\n").unwrap();
    let java = folder.process(10, 1, "/opt/jdk/bin/java").file("root/etc/java", "JAVA_VERSION=\"21.0.4\"\n");
    fs::create_dir_all(java.path.join("root/opt/jdk")).unwrap();
    let release = java.path.join("root/opt/jdk/release");
    for escape in [secret.to_str().unwrap(), "../../../../secret"] {
        symlink(escape, &release).unwrap();
        assert_eq!(look(&folder).version, None, "{escape}");
        fs::remove_file(&release).unwrap();
    }
    symlink("/etc/java", &release).unwrap();
    assert_eq!(look(&folder).version.as_deref(), Some("21.0.4"));
}

#[test]
fn a_pipe_and_a_folder_in_place_of_a_file_do_not_hold_the_scan_up() {
    let folder = Folder::new();
    let java = folder.process(10, 1, "/opt/jdk/bin/java");
    let release = java.path.join("root/opt/jdk/release");
    fs::create_dir_all(&release).unwrap();
    assert_eq!(look(&folder).version, None);
    fs::remove_dir(&release).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&release).status().unwrap();
    assert!(made.success());
    assert_eq!(look(&folder).version, None);
}

#[test]
fn a_hundred_thousand_mappings_and_endless_texts_are_cut() {
    let folder = Folder::new();
    let line = "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n";
    let java = folder.process(10, 1, "/usr/bin/java").file("maps", line.repeat(100_000));
    java.file("environ", "A=".repeat(1 << 22)).file("cmdline", vec![0; 1 << 22]).file("auxv", vec![1; 1 << 20]);
    let start = Instant::now();
    assert_eq!(look(&folder).language, Ok(Language::Java));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_program_with_absurd_headers_costs_nothing() {
    let folder = Folder::new();
    let program = folder.path().join("absurd");
    // Tables of true entry sizes, right behind the header, with as many entries as can be said, and all of them endless.
    let mut file = vec![0xff; 1 << 20];
    file[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    for table in [32, 40] {
        file[table..table + 8].copy_from_slice(&64u64.to_le_bytes());
    }
    for (size, entry) in [(54, 56u16), (58, 64)] {
        file[size..size + 2].copy_from_slice(&entry.to_le_bytes());
    }
    file[64..72].copy_from_slice(&[1, 0, 0, 0, 2, 0, 0, 0]);
    fs::write(&program, file).unwrap();
    fs::File::options().write(true).open(&program).unwrap().set_len(1 << 40).unwrap();
    folder.process(10, 1, &program);
    let start = Instant::now();
    assert!(look(&folder).language.is_err());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn names_that_are_no_text_are_survived() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    folder.process(10, 1, std::ffi::OsStr::from_bytes(b"/bin/\xff\xfe")).file("environ", b"LD_PRELOAD=\xff\0\xff=1\0");
    let process = look(&folder).process.unwrap();
    assert_eq!(process.preload.as_deref(), Some("\u{fffd}"));
}
