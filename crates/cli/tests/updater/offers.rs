//! What a repository has on offer, or fails to have.

use super::charts::Chart;
use super::scene::{Garden, SCENE, said};

#[test]
fn the_newest_version_in_the_range_is_taken_and_pre_releases_only_where_it_names_one() {
    let garden = Garden::new("ranges");
    garden.offer(&["0.1.4", "0.1.9", "0.1.10", "0.2.0", "0.3.0-rc.1"].map(Chart::new));
    for (range, to) in [("~0.1.0", "0.1.10"), ("*", "0.2.0"), (">=0.3.0-0", "0.3.0-rc.1")] {
        let planned = garden.update(&["--version", range, "--dry-run"]);
        planned.is("Planned");
        assert_eq!(planned.json()["to"], to, "{range}");
    }
    garden.update(&["--version", "~0.1.0"]).is("Updated");
    assert_eq!(garden.config("version").as_deref(), Some("0.1.10"));
}

#[test]
fn an_older_version_is_gone_to_only_where_it_is_the_one_that_is_asked_for() {
    let garden = Garden::new("older");
    garden.offer(&[Chart::new("0.2.0")]);
    garden.update(&[]).is("Updated");
    // The repository has lost it.
    let folder = tempfile::tempdir().expect("a folder");
    Chart::new("0.1.0").package(&SCENE, folder.path());
    SCENE.helm(&["repo", "index", &folder.path().display().to_string()]);
    let index = std::fs::read(folder.path().join("index.yaml")).expect("an index");
    SCENE.server.put(&garden.path("index.yaml"), index);
    SCENE
        .server
        .put(&garden.path("plant-0.1.0.tgz"), std::fs::read(folder.path().join("plant-0.1.0.tgz")).expect("a file"));
    for range in ["*", "<0.2.0", "0.1.x"] {
        garden.update(&["--version", range]).is("OnlyOlder");
    }
    assert_eq!(garden.config("version").as_deref(), Some("0.2.0"));
    garden.update(&["--version", "0.1.0"]).is("Updated");
    assert_eq!(garden.config("version").as_deref(), Some("0.1.0"));
}

#[test]
fn a_range_that_allows_nothing_and_a_chart_that_is_not_there_are_told_with_what_there_is() {
    let garden = Garden::new("nothing");
    garden.offer(&[Chart::new("0.2.0"), Chart::new("0.1.0").named("plant-pot")]);
    let excluded = garden.update(&["--version", "^1"]);
    excluded.is("NoVersion");
    assert!(excluded.why().ends_with("in the range ^1; on offer is 0.2.0, 0.1.0"), "{}", excluded.why());

    let url = SCENE.server.url(garden.namespace);
    let absent = said(garden.command_with(&["--chart", "plan", "--repository", &url]));
    absent.is("NoVersion");
    let other = said(garden.command_with(&["--chart", "plant-pot", "--repository", &url, "--version", "0.1.0"]));
    other.is("UpToDate");

    let nonsense = garden.update(&["--version", "newest"]);
    nonsense.is("RepositoryUnavailable");
    assert!(nonsense.why().contains("newest"), "{}", nonsense.why());
    assert_eq!(garden.history().len(), 1);
}

#[test]
fn a_repository_that_is_down_or_broken_changes_nothing_and_says_what_is_wrong() {
    let garden = Garden::new("down");
    let down = said(garden.command_with(&["--chart", "plant", "--repository", "http://127.0.0.1:1"]));
    down.is("RepositoryUnavailable");
    assert!(down.why().contains("127.0.0.1:1"), "{}", down.why());

    for garbage in ["", "<html>login</html>", "entries: [", "\u{0}\u{1}"] {
        SCENE.server.put(&garden.path("index.yaml"), garbage);
        let broken = garden.update(&[]);
        assert!(
            matches!(broken.outcome().as_str(), "RepositoryUnavailable" | "NoVersion"),
            "{garbage}: {}",
            broken.text
        );
    }
    SCENE.server.remove(&garden.path("index.yaml"));
    garden.update(&[]).is("RepositoryUnavailable");
    assert_eq!(garden.history().len(), 1);
    assert!(garden.events().iter().any(|(reason, _)| reason == "RepositoryUnavailable"));
}

#[test]
fn an_archive_that_is_missing_or_not_what_the_index_says_is_not_installed() {
    let garden = Garden::new("archives");
    garden.offer(&[Chart::new("0.2.0")]);
    let (index, archive) = (garden.path("index.yaml"), garden.path("plant-0.2.0.tgz"));
    let good = std::fs::read(garden.file("plant-0.2.0.tgz")).expect("a file");

    SCENE.server.remove(&archive);
    garden.update(&[]).is("RepositoryUnavailable");

    SCENE.server.put(&archive, "no archive");
    garden.update(&[]).is("ChartRefused");

    // Another archive than the one that the index was made of.
    let folder = tempfile::tempdir().expect("a folder");
    let other = Chart::new("0.2.0").template("more.yaml", "# more").package(&SCENE, folder.path());
    SCENE.server.put(&archive, std::fs::read(other).expect("a file"));
    let refused = garden.update(&[]);
    refused.is("ChartRefused");
    assert!(refused.why().contains("its index says"), "{}", refused.why());

    // An older version under the name of a newer.
    SCENE.server.put(&archive, std::fs::read(garden.file("plant-0.1.0.tgz")).expect("a file"));
    let text = std::fs::read_to_string(garden.file("index.yaml")).expect("an index");
    let without_digests: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("digest:")).collect();
    SCENE.server.put(&index, without_digests.join("\n"));
    let refused = garden.update(&[]);
    refused.is("ChartRefused");
    assert!(refused.why().contains("is one of plant 0.1.0"), "{}", refused.why());

    SCENE.server.put(&archive, good);
    garden.update(&[]).is("Updated");
}

#[test]
fn a_chart_of_another_name_is_not_put_in_the_place_of_the_release() {
    let garden = Garden::new("another");
    garden.offer(&[Chart::new("0.2.0").named("weed")]);
    let url = SCENE.server.url(garden.namespace);
    let refused = said(garden.command_with(&["--chart", "weed", "--repository", &url]));
    refused.is("ChartRefused");
    assert!(refused.why().contains("plant") && refused.why().contains("weed"), "{}", refused.why());
}
