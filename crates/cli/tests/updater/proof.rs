//! Charts that have to prove what they are.

use std::path::Path;
use std::process::Command;

use super::charts::Chart;
use super::scene::{Garden, SCENE};

#[test]
fn where_digests_are_given_an_archive_must_have_one_of_them() {
    let garden = Garden::new("digests");
    garden.offer(&[Chart::new("0.2.0")]);
    let other = format!("sha256:{}", "0".repeat(64));
    let refused = garden.update(&["--digest", &other]);
    refused.is("ChartRefused");
    let digest =
        refused.why().split_whitespace().find(|word| word.starts_with("sha256:")).expect("its digest").to_owned();
    let digest = digest.trim_end_matches(',');
    assert_eq!(garden.history().len(), 1);
    garden.update(&["--digest", &other, "--digest", digest]).is("Updated");
    // What is installed needs no proof any more.
    garden.update(&["--digest", &other]).is("UpToDate");
}

/// The public and the secret keys of somebody.
fn keys(folder: &Path, name: &str) -> (String, String) {
    let gpg = |arguments: &[&str]| {
        let home = folder.join(name);
        std::fs::create_dir_all(&home).expect("a folder");
        let mut gpg = Command::new("gpg");
        let output = gpg.args(["--batch", "--passphrase", ""]).args(arguments).env("GNUPGHOME", &home).output();
        let output = output.expect("gpg runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    gpg(&["--quick-generate-key", &format!("{name} <{name}@example.com>"), "rsa2048", "sign", "never"]);
    let files = [("public", "--export"), ("secret", "--export-secret-keys")].map(|(kind, export)| {
        let file = folder.join(format!("{name}.{kind}"));
        std::fs::write(&file, gpg(&[export])).expect("a file");
        file.display().to_string()
    });
    let _ = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", folder.join(name)).status();
    let [public, secret] = files;
    (public, secret)
}

#[test]
fn where_a_keyring_is_given_a_chart_must_be_signed_by_one_of_its_keys() {
    if Command::new("gpg").arg("--version").output().is_err() {
        return epiphyte_testbed::skipped("there is no gpg to make keys with");
    }
    let folder = tempfile::Builder::new().prefix("keys").tempdir().expect("a folder");
    let (public, secret) = keys(folder.path(), "publisher");
    let (stranger, _) = keys(folder.path(), "stranger");
    let garden = Garden::new("signed");
    garden.offer(&[Chart::new("0.2.0")]);
    let unsigned = garden.update(&["--keyring", &public]);
    unsigned.is("ChartRefused");
    assert!(unsigned.why().contains("plant 0.2.0 is not signed"), "{}", unsigned.why());

    let signed = folder.path().join("signed");
    std::fs::create_dir(&signed).expect("a folder");
    Chart::new("0.2.0").package_with(&SCENE, &signed, &["--sign", "--key", "publisher", "--keyring", &secret]);
    for file in ["plant-0.2.0.tgz", "plant-0.2.0.tgz.prov"] {
        std::fs::copy(signed.join(file), garden.file(file)).expect("a copy");
    }
    garden.offer(&[]);
    let refused = garden.update(&["--keyring", &stranger]);
    refused.is("ChartRefused");
    assert!(refused.why().contains("signature of plant 0.2.0 is not accepted"), "{}", refused.why());
    garden.update(&["--keyring", "no-such-file"]).is("ChartRefused");
    assert_eq!(garden.history().len(), 1);

    let updated = garden.update(&["--keyring", &public]);
    updated.is("Updated");
    assert_eq!(updated.json()["plan"]["signedBy"], "publisher <publisher@example.com>");
}
