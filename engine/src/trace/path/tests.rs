use super::*;

#[test]
fn plain_paths_lead_into_the_resource() {
    let element = |list: &str, index| Element {
        list: list.to_owned(),
        index,
    };
    let outer = [element("request.object.spec.containers", 2)];
    let nested = [
        element("request.object.spec.containers", 2),
        element("element.ports[] || `[]`", 1),
    ];
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
        let found = of_expression(expression, &outer);
        assert_eq!(found.as_deref(), expected, "{expression}");
    }
    for (expression, expected) in [
        (
            "element.hostPort",
            Some("/spec/containers/2/ports/1/hostPort"),
        ),
        ("element1", Some("/spec/containers/2/ports/1")),
        ("element0.image", Some("/spec/containers/2/image")),
        ("element2", None),
        ("elements", None),
    ] {
        let found = of_expression(expression, &nested);
        assert_eq!(found.as_deref(), expected, "{expression}");
    }
    assert_eq!(of_expression("element", &[]), None);
    let unknown = [element("items", 0), element("element.ports", 1)];
    assert_eq!(of_expression("element", &unknown), None);
    assert_eq!(
        in_words(&nested).as_deref(),
        Some(
            "element 1 of `element.ports[] || `[]``, of element 2 of `request.object.spec.containers`"
        )
    );
}
