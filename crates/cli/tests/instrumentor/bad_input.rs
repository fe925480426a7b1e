//! What people write that makes no sense: each gets its reason, and none keeps others from being served.

use crate::SHARED;
use crate::details::hand_made;
use crate::subject::*;
use crate::support::*;

#[test]
fn bad_input_gets_its_reason_and_keeps_nobody_else_from_being_served() {
    SHARED.run(async |cluster| {
        let namespace = "bad-input";
        cluster.namespace(namespace, None).await;
        let maybe = Subject::create(cluster, &annotated(deployment(namespace, "maybe"), "TRUE")).await;
        cluster.create(&source(namespace, "no-kind", "Banana", "cart", false)).await;
        cluster.create(&source(namespace, "no-target", "Deployment", "nobody", false)).await;

        // Details that a person made up.
        cluster.create(&hand_made(namespace, "deployment-cobol", &[("app", "cobol")])).await;
        cluster.create(&hand_made(namespace, "deployment-stranger", &[("ghost", "java"), ("app", "python")])).await;
        cluster.create(&hand_made(namespace, "deployment-ghost", &[("ghost", "java")])).await;
        cluster.create(&hand_made(namespace, "no-workload-at-all", &[("app", "java")])).await;
        let cobol = Subject::create(cluster, &annotated(deployment(namespace, "cobol"), "true")).await;
        let stranger = Subject::create(cluster, &annotated(deployment(namespace, "stranger"), "true")).await;
        let ghost = Subject::create(cluster, &annotated(deployment(namespace, "ghost"), "true")).await;

        let long = "a".repeat(253);
        let long = Subject::create(cluster, &annotated(deployment(namespace, &long), "true")).await;
        long.answer(&[("app", "go")]).await;

        // After all that, one that is well.
        let well = Subject::instrumented(cluster, deployment(namespace, "well")).await;
        assert_eq!(well.generation().await, 2);

        long.until_devices(&[("app", GO)]).await;
        long.until_event("LumigoAddedInstrumentation").await;
        stranger.until_devices(&[("app", PYTHON)]).await;
        cobol.until_verdict("app", "off", "LanguageNotSupported").await;
        cobol.until_reason("RuntimeDetected", "NoSupportedLanguage").await;
        ghost.until_verdict("app", "off", "ContainerNotDetected").await;
        maybe.until_event("InvalidMark").await;
        cluster.until_event(namespace, "no-kind", "SourceKindUnknown").await;
        cluster.until_event(namespace, "no-target", "SourceTargetMissing").await;
        maybe.assert_untouched().await;
        for subject in [&cobol, &ghost] {
            assert_eq!((subject.generation().await, subject.writes()), (1, 0), "{subject}");
        }
    });
}

#[test]
fn the_api_server_refuses_details_that_name_a_container_twice() {
    SHARED.run(async |cluster| {
        cluster.namespace("twice", None).await;
        let twice = hand_made("twice", "deployment-cart", &[("app", "java"), ("app", "python")]);
        let path = "/apis/odigos.io/v1alpha1/namespaces/twice/instrumentedapplications";
        let refused = cluster.send("POST", path, "application/json", &twice).await;
        assert!(matches!(&refused, Err(kube::Error::Api(status)) if status.code == 422), "{refused:?}");
    });
}

#[test]
fn two_sources_for_one_workload_leave_the_say_to_the_older() {
    SHARED.run(async |cluster| {
        cluster.namespace("two-sources", None).await;
        // Of the same second at times, so that the name decides.
        cluster.create(&source("two-sources", "a-older", "Deployment", "cart", false)).await;
        cluster.create(&source("two-sources", "b-younger", "Deployment", "cart", true)).await;
        let cart = Subject::create(cluster, &deployment("two-sources", "cart")).await;
        cart.answer(&[("app", "java")]).await;
        cart.until_devices(&[("app", JAVA)]).await;
        cluster.until_event("two-sources", "b-younger", "DuplicateSource").await;
        assert_eq!(cart.generation().await, 2);
    });
}
