//! Plans: what would change, without what is secret, and without a write.

use serde_json::json;

use super::charts::Chart;
use super::scene::{Garden, SCENE, UPDATER};

#[test]
fn a_dry_run_says_what_would_change_and_writes_nothing() {
    let garden = Garden::with("planned", &["--set", "token=t_never_shown,old.thing=1"]);
    let next = Chart::new("0.2.0").values(json!({ "color": "blue", "size": 1, "token": "", "extra": { "on": true } }));
    garden.offer(&[next.that_fails()]);
    let mark = SCENE.cluster.plane.audit().mark().expect("a mark");
    let said = garden.update(&["--dry-run"]);
    said.is("Planned");
    let plan = &said.json()["plan"];
    assert_eq!((&plan["from"], &plan["to"]), (&json!("0.1.0"), &json!("0.2.0")));
    assert_eq!(plan["kept"], json!(["old.thing", "token"]));
    assert_eq!(plan["unknown"], json!(["old.thing"]));
    assert_eq!(
        plan["values"],
        json!([{ "path": "color", "before": "green", "after": "blue" }, { "path": "extra.on", "after": true }])
    );
    let objects = plan["objects"].as_array().expect("objects");
    let verbs: Vec<_> = objects.iter().map(|it| (it["verb"].as_str(), it["kind"].as_str())).collect();
    assert_eq!(
        verbs,
        [(Some("change"), Some("ConfigMap")), (Some("create"), Some("Deployment")), (Some("change"), Some("Secret"))]
    );
    let diff = objects[0]["diff"].as_str().expect("a difference");
    assert!(diff.contains("-  color: green\n+  color: blue\n"), "{diff}");
    assert!(!said.text.contains("t_never_shown") && !said.log.contains("t_never_shown"), "{}", said.text);

    let people = garden.update(&["--dry-run", "--output", "text"]);
    assert!(people.text.contains("color: \"green\" to \"blue\""), "{}", people.text);
    assert!(!people.text.contains("t_never_shown"), "{}", people.text);

    let writes = SCENE.cluster.writes_of(UPDATER, mark);
    let of_garden: Vec<_> = writes.iter().filter(|entry| format!("{entry:?}").contains("planned")).collect();
    assert!(of_garden.is_empty(), "{of_garden:?}");
    assert_eq!((garden.events(), garden.note()), (Vec::new(), None));
    assert_eq!(garden.history().len(), 1);
}
