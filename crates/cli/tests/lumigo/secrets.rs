//! What a Secret may hold, and what becomes of a Lumigo by it.

use serde_json::{Value, json};

use crate::SHARED;
use crate::scene::*;
use crate::subject::*;
use crate::support::*;

#[test]
fn each_thing_that_can_be_wrong_with_a_secret_is_told_and_stops_no_other_tenant() {
    run(async |cluster| {
        let good = token(1);
        let shape = "is no token, which is `t_` and 21 hexadecimal digits in lower case";
        let cases = [
            ("missing", None, "cannot retrieve secret 'secret-missing/lumigo-credentials'"),
            (
                "no-key",
                Some(("other", good.clone())),
                "the secret 'secret-no-key/lumigo-credentials' does not have the key 'token'",
            ),
            ("else", Some(("token", NO_TOKEN.to_owned())), shape),
            ("newline", Some(("token", format!("{good}\n"))), shape),
            ("more", Some(("token", format!("{good}\nreceivers: {NO_TOKEN}"))), shape),
            ("upper", Some(("token", good.to_uppercase())), shape),
            ("empty", Some(("token", String::new())), shape),
        ];
        let mut subjects = Vec::new();
        for (name, secret, _) in &cases {
            let ns = &format!("secret-{name}");
            cluster.namespace(ns, None).await;
            subjects.push(Subject::create(cluster, &deployment(ns, "cart")).await);
            if let Some((key, value)) = secret {
                let mut object = token_secret(ns, "");
                object["stringData"] = json!({ *key: value });
                cluster.apply(&object).await;
            }
            cluster.apply(&lumigo_object(ns, "lumigo")).await;
        }
        for (name, _, words) in &cases {
            until_error(cluster, &format!("secret-{name}"), "lumigo", "invalid Lumigo token secret reference: ").await;
            until_error(cluster, &format!("secret-{name}"), "lumigo", words).await;
        }
        cluster.namespace("secret-good", None).await;
        let cart = Subject::create(cluster, &deployment("secret-good", "cart")).await;
        admit(cluster, "secret-good", &json!({})).await;
        cart.until_injected().await;
        assert!(!admits(SHARED.operator(), &good));
        for subject in subjects {
            assert_eq!(monitored(SHARED.operator(), &subject.namespace), None);
            subject.assert_untouched().await;
        }
    });
}

#[test]
fn a_blank_name_or_key_is_refused_at_once_and_no_reference_at_all_is_told() {
    run(async |cluster| {
        let ns = "blank";
        cluster.namespace(ns, None).await;
        let path = "/apis/operator.lumigo.io/v1/namespaces/blank/lumigoes";
        for (name, key) in [("", "token"), ("  ", "token"), ("secret", ""), ("secret", "\t")] {
            let reference = json!({ "lumigoToken": { "secretRef": { "name": name, "key": key } } });
            let refused = cluster.send("POST", path, "application/json", &lumigo_that(ns, "lumigo", &reference)).await;
            let Err(kube::Error::Api(status)) = refused else { panic!("{refused:?}") };
            assert_eq!(status.code, 422);
            assert!(status.message.contains("must not be blank"), "{}", status.message);
        }
        let nothing = json!({ "lumigoToken": null });
        cluster.apply(&lumigo_that(ns, "lumigo", &nothing)).await;
        until_error(cluster, ns, "lumigo", "invalid Lumigo token secret reference: no reference to a secret is given")
            .await;
    });
}

#[test]
fn a_name_that_no_secret_can_have_is_told_and_never_asked_for() {
    run(async |cluster| {
        let ns = "odd-names";
        cluster.namespace(ns, None).await;
        cluster.apply(&token_secret(ns, TOKEN)).await;
        cluster.namespace("odd-names-other", None).await;
        cluster.apply(&token_secret("odd-names-other", TOKEN)).await;
        let mark = cluster.plane.audit().mark().expect("the audit log is read");
        let elsewhere = "../../odd-names-other/secrets/lumigo-credentials";
        let names = [elsewhere, "lumigo-credentials?watch=true", "?limit=1", "a b", "..", "Upper", "100%", "grün"];
        for name in names {
            let reference = json!({ "lumigoToken": { "secretRef": { "name": name, "key": "token" } } });
            cluster.create(&lumigo_that(ns, "lumigo", &reference)).await;
            until_error(cluster, ns, "lumigo", "cannot retrieve secret 'odd-names/").await;
            delete_lumigo(cluster, ns).await;
        }
        admit(cluster, ns, &json!({})).await;
        let asked = cluster.plane.audit().since(mark).expect("the audit log is read");
        let odd = asked.iter().filter(|entry| {
            entry.user.username == OPERATOR && entry.request_uri.contains("odd-names") && entry.is_about("secrets")
        });
        let uris: Vec<&str> = odd.map(|entry| entry.request_uri.as_str()).collect();
        assert!(uris.iter().all(|uri| uri.ends_with("/odd-names/secrets/lumigo-credentials")), "{uris:?}");
    });
}

#[test]
fn a_rotated_token_reaches_the_files_within_the_polling_period_and_rolls_nothing() {
    run(async |cluster| {
        let ns = "rotated";
        let [first, second] = [token(3), token(4)];
        cluster.namespace(ns, None).await;
        cluster.apply(&token_secret(ns, &first)).await;
        cluster.apply(&lumigo_object(ns, "lumigo")).await;
        let cart = Subject::create(cluster, &deployment(ns, "cart")).await;
        cart.until_injected().await;
        until("the first token is admitted", || async { admits(SHARED.operator(), &first) }).await;
        let (generation, writes) = (cart.generation().await, cart.writes());

        cluster.apply(&token_secret(ns, &second)).await;
        let start = std::time::Instant::now();
        until("the second token is admitted, and the first no more", || async {
            let monitored = monitored(SHARED.operator(), ns);
            let is_second = |it: Value| it["token"] == second.as_str();
            admits(SHARED.operator(), &second) && !admits(SHARED.operator(), &first) && monitored.is_some_and(is_second)
        })
        .await;
        // The period is ten seconds; the rest is for a machine that is busy.
        assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
        until_active(cluster, ns, "lumigo").await;
        assert_eq!((cart.generation().await, cart.writes()), (generation, writes));
    });
}

#[test]
fn a_lumigo_that_loses_its_secret_adds_nothing_more_is_off_the_files_and_still_restores() {
    run(async |cluster| {
        let ns = "lost-secret";
        let own = token(2);
        cluster.namespace(ns, None).await;
        let cart = Subject::create(cluster, &deployment(ns, "cart")).await;
        let before = cart.template().await;
        cluster.apply(&token_secret(ns, &own)).await;
        cluster.apply(&lumigo_object(ns, "lumigo")).await;
        cart.until_injected().await;
        until("the token is admitted", || async { admits(SHARED.operator(), &own) }).await;

        let secret = Object { api_version: "v1", plural: "secrets", namespace: ns, name: "lumigo-credentials" };
        cluster.delete(&secret).await;
        until_error(cluster, ns, "lumigo", "cannot retrieve secret").await;
        until("the files tell of it no more", || async {
            monitored(SHARED.operator(), ns).is_none() && !admits(SHARED.operator(), &own)
        })
        .await;
        let new = Subject::create(cluster, &deployment(ns, "new")).await;
        witness(cluster, ns).await;
        new.assert_untouched().await;
        assert!(is_injected(&cart.template().await), "what is injected stays");
        assert_eq!(cart.generation().await, 2);

        delete_lumigo(cluster, ns).await;
        assert_eq!(cart.template().await, before);
    });
}
