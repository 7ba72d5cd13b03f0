use super::*;

#[test]
fn kinds_and_versions_that_are_nearly_right_are_suggested() {
    let help = |version: &str, kind: &str| {
        let text = format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n");
        let source = Source::new("a.yaml", text);
        let (documents, _) = crate::yaml::parse(&source);
        let (_, said) = parse(&source, &documents[0]);
        let said: Vec<_> = said
            .into_iter()
            .map(|one| (one.message, one.help))
            .collect();
        said
    };
    let one = |message: &str, help: &str| vec![(message.to_owned(), Some(help.to_owned()))];
    let policy = help("kyverno.io/v1", "ClusterPolcy");
    let wanted = "did you mean `ClusterPolicy`?";
    assert_eq!(
        policy,
        one("there is no kind `ClusterPolcy` of `kyverno.io/v1`", wanted)
    );
    let exception = help("kyverno.io/v2", "PolicyExeption");
    let wanted = "did you mean `PolicyException`?";
    assert_eq!(
        exception,
        one(
            "there is no kind `PolicyExeption` of `kyverno.io/v2`",
            wanted
        )
    );
    let version = help("kiverno.io/v1", "Policy");
    let wanted = "did you mean `kyverno.io/v1`?";
    assert_eq!(
        version,
        one("`Policy` of `kiverno.io/v1` is no policy", wanted)
    );
    let other = help("v1", "Pod");
    let wanted = "a policy is a `ClusterPolicy` or a `Policy` of `kyverno.io/v1`";
    assert_eq!(other, one("`Pod` of `v1` is no policy", wanted));
}
