use super::*;

#[test]
fn plain_paths_lead_into_the_resource() {
    let elements = Elements {
        list: "request.object.spec.containers",
        index: 2,
    };
    for (expression, expected) in [
        (
            "request.object.metadata.labels.team",
            Some("/metadata/labels/team"),
        ),
        (
            "request.object.metadata.labels.\"a.b/c\" || ''",
            Some("/metadata/labels/a.b~1c"),
        ),
        (
            "request.object.spec.containers[0].image",
            Some("/spec/containers/0/image"),
        ),
        ("element.image", Some("/spec/containers/2/image")),
        ("element", Some("/spec/containers/2")),
        ("request.object", Some("")),
        ("request.object.spec.containers[].image", None),
        ("request.object.spec.a | length(@)", None),
        ("request.objects", None),
        ("elementIndex", None),
        ("length(request.object.spec)", None),
        ("images.containers.a", None),
    ] {
        let found = of_expression(expression, Some(&elements));
        assert_eq!(found.as_deref(), expected, "{expression}");
    }
}
