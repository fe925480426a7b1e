use super::*;
use crate::admission::{Answer, Outcome, Readiness, review};

fn answer(index: &SharedIndex, request: &Value) -> Answer {
    review(request.to_string().as_bytes(), index, Readiness::Ready).expect("it is a review")
}

/// The object as it is stored after admission.
fn admitted(index: &SharedIndex, operation: &str, object: &Value, old: Option<&Value>) -> Value {
    let answer = answer(index, &request(operation, object, old));
    let mut stored = object.clone();
    if let Some(patch) = patch_of(&answer.body) {
        assert_eq!(answer.outcome, Outcome::Patched);
        json_patch::patch(&mut stored, &patch).expect("the patch applies");
    }
    stored
}

fn assert_unchanged(answer: &Answer, outcome: Outcome) {
    assert_eq!(answer.outcome, outcome);
    assert_eq!(patch_of(&answer.body), None);
}

fn instrumented() -> Value {
    let stored = admitted(&index(), "CREATE", &deployment(), None);
    assert_eq!(stored.pointer("/spec/template/spec/volumes/0/name"), Some(&json!("lumigo-injector")));
    stored
}

#[test]
fn what_is_marked_on_is_instrumented_when_it_is_created() {
    let stored = instrumented();
    let mounts = stored.pointer("/spec/template/spec/containers/0/volumeMounts").expect("there are mounts");
    assert_eq!(mounts[0]["mountPath"], "/opt/lumigo");
    assert_eq!(mounts[0]["name"], "lumigo-injector");
}

#[test]
fn what_is_not_marked_is_left_alone() {
    let index = index();
    set_lumigo(&index, |lumigo| lumigo.injects = false);
    assert_unchanged(&answer(&index, &request("CREATE", &deployment(), None)), Outcome::Unchanged);
    let (new, old) = (deployment(), deployment());
    assert_unchanged(&answer(&index, &request("UPDATE", &new, Some(&old))), Outcome::Unchanged);
}

#[test]
fn a_mark_is_looked_for_under_the_name_in_the_request_and_in_its_namespace() {
    let mut elsewhere = request("CREATE", &deployment(), None);
    elsewhere["request"]["namespace"] = json!("elsewhere");
    assert_unchanged(&answer(&index(), &elsewhere), Outcome::Unchanged);
}

#[test]
fn a_name_that_is_yet_to_be_generated_is_no_obstacle() {
    let mut object = deployment();
    object["metadata"] = json!({ "generateName": "cart-" });
    let mut nameless = request("CREATE", &object, None);
    nameless["request"].as_object_mut().expect("an object").remove("name");
    assert_eq!(answer(&index(), &nameless).outcome, Outcome::Patched);
}

#[test]
fn a_bare_manifest_that_replaces_an_instrumented_one_gets_our_parts_back() {
    let old = instrumented();
    assert_eq!(admitted(&index(), "UPDATE", &deployment(), Some(&old)), old);
}

#[test]
fn another_agents_image_reaches_a_workload_only_when_its_template_changes() {
    let old = instrumented();
    let next_version = index();
    let mut settings = Settings::default();
    settings.injector.image = "epiphyte/agents:next".to_owned();
    next_version.write().configure(&settings, Timestamp::UNIX_EPOCH);
    assert_eq!(admitted(&next_version, "UPDATE", &deployment(), Some(&old)), old);

    let mut changed = deployment();
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.example/cart:2");
    let stored = admitted(&next_version, "UPDATE", &changed, Some(&old));
    assert_eq!(stored.pointer("/spec/template/spec/initContainers/0/image"), Some(&json!("epiphyte/agents:next")));
}

#[test]
fn a_mark_that_went_takes_our_parts_off_in_the_same_write() {
    let index = index();
    let mut unmarked = instrumented();
    let old = unmarked.clone();
    unmarked["metadata"]["labels"]["lumigo.auto-trace"] = json!("false");
    let stored = admitted(&index, "UPDATE", &unmarked, Some(&old));
    assert_eq!(stored.pointer("/spec/template"), deployment().pointer("/spec/template"));
}

#[test]
fn keep_carries_over_what_the_old_object_had() {
    let old = instrumented();
    let index = index();
    set_lumigo(&index, |lumigo| lumigo.active = false);
    assert_eq!(admitted(&index, "UPDATE", &deployment(), Some(&old)), old);
    assert_eq!(admitted(&index, "CREATE", &deployment(), None), deployment());
}

#[test]
fn a_dry_run_is_answered_like_any_other() {
    let mut dry = request("CREATE", &deployment(), None);
    let real = answer(&index(), &dry);
    dry["request"]["dryRun"] = json!(true);
    assert_eq!(answer(&index(), &dry).body, real.body);
}

#[test]
fn the_patch_is_no_larger_than_the_edit() {
    let answer = answer(&index(), &request("CREATE", &deployment(), None));
    let patch = serde_json::to_vec(&patch_of(&answer.body)).expect("it serialises");
    assert!(patch.len() <= 2_048, "{} bytes", patch.len());
}

#[test]
fn what_a_controller_owns_and_what_is_being_deleted_is_left_alone() {
    let mut owned = deployment();
    owned["metadata"]["ownerReferences"] =
        json!([{ "apiVersion": "v1", "kind": "Rollout", "name": "cart", "uid": "1", "controller": true }]);
    assert_unchanged(&answer(&index(), &request("CREATE", &owned, None)), Outcome::Unchanged);

    let mut deleted = instrumented();
    deleted["metadata"]["deletionTimestamp"] = json!("2030-01-01T00:00:00Z");
    let old = deleted.clone();
    assert_unchanged(&answer(&empty_index(), &request("UPDATE", &deleted, Some(&old))), Outcome::Unchanged);
}

#[test]
fn other_kinds_and_operations_are_left_alone() {
    let mut other_kind = request("CREATE", &deployment(), None);
    other_kind["request"]["kind"] = json!({ "group": "apps", "version": "v1", "kind": "Scale" });
    let answered = answer(&index(), &other_kind);
    assert_unchanged(&answered, Outcome::Unchanged);
    assert_eq!(answered.kind, None);

    let mut other_group = request("CREATE", &deployment(), None);
    other_group["request"]["kind"] = json!({ "group": "example.com", "version": "v1", "kind": "Deployment" });
    assert_unchanged(&answer(&index(), &other_group), Outcome::Unchanged);

    let mut deletion = request("DELETE", &Value::Null, Some(&deployment()));
    assert_unchanged(&answer(&index(), &deletion), Outcome::Unchanged);
    deletion["request"]["operation"] = json!("CONNECT");
    assert_unchanged(&answer(&index(), &deletion), Outcome::Unchanged);
}

#[test]
fn a_job_is_instrumented_when_it_is_created_and_never_later() {
    let job = |operation, old: Option<&Value>| {
        let mut object = deployment();
        object["apiVersion"] = json!("batch/v1");
        object["kind"] = json!("Job");
        let mut request = request(operation, &object, old);
        request["request"]["kind"] = json!({ "group": "batch", "version": "v1", "kind": "Job" });
        answer(&index(), &request).outcome
    };
    assert_eq!(job("CREATE", None), Outcome::Patched);
    assert_eq!(job("UPDATE", Some(&deployment())), Outcome::Unchanged);
}

#[test]
fn an_object_that_cannot_be_read_is_allowed_unchanged() {
    let mut garbage = deployment();
    garbage["spec"]["template"]["spec"]["containers"] = json!("none");
    assert_unchanged(&answer(&index(), &request("CREATE", &garbage, None)), Outcome::Failed);
    assert_unchanged(&answer(&index(), &request("UPDATE", &deployment(), Some(&garbage))), Outcome::Failed);
    assert_unchanged(&answer(&index(), &request("CREATE", &json!([1, 2]), None)), Outcome::Failed);
}

#[test]
fn nothing_is_changed_before_the_cluster_is_known() {
    let request = request("CREATE", &deployment(), None).to_string();
    let answer = review(request.as_bytes(), &index(), Readiness::NotReady).expect("it is a review");
    assert_unchanged(&answer, Outcome::NotReady);
}

#[test]
fn what_is_no_review_is_refused() {
    let mut older = request("CREATE", &deployment(), None);
    older["apiVersion"] = json!("admission.k8s.io/v1beta1");
    let mut without_request = request("CREATE", &deployment(), None);
    without_request["request"] = Value::Null;
    for body in ["", "hello", "[]", "{}", &deployment().to_string(), &older.to_string(), &without_request.to_string()] {
        assert!(review(body.as_bytes(), &index(), Readiness::Ready).is_err(), "{body}");
    }
    assert!(review(&[0xff, 0xfe], &index(), Readiness::Ready).is_err());
}
