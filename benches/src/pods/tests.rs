use super::{bad, good, large, review, with_image};

#[test]
fn reviews_have_the_sizes_that_the_figures_name() {
    let size = |pod| review(&pod).to_string().len();
    assert!((4000..5000).contains(&size(good())), "{}", size(good()));
    assert!((4000..5000).contains(&size(bad())), "{}", size(bad()));
    assert!((9500..10500).contains(&size(large())), "{}", size(large()));
    let pod = with_image("production", "ghcr.io/your-org/app:v1");
    assert_eq!(review(&pod)["request"]["namespace"], "production");
    assert_eq!(
        pod["spec"]["containers"][0]["image"],
        "ghcr.io/your-org/app:v1"
    );
}
