//! The host functions as Rego, for an engine that has not ours: what a bundle for OPA holds beside the policies' modules.
//!
//! Rego has no recursion, so what walks a tree is written once and repeated for each level; below the last one a walk has
//! no answer, which is never a pass. Serving does not use this: its answers are the host functions'.

/// Where a bundle keeps it.
pub const PATH: &str = "regent.rego";

/// Levels of a pattern that are walked: a pod in a `CronJob` has some fifteen.
const WALK_LEVELS: usize = 24;
/// Levels of a value that are printed as text, as an element of a list in a condition.
const PRINT_LEVELS: usize = 6;

/// The text of the module `regent`.
pub fn text() -> String {
    let mut text = include_str!("../../rego/regent.rego").to_owned();
    push_levels(&mut text, include_str!("../../rego/walk.rego"), WALK_LEVELS);
    text.push_str(&WALK_END.replace(NUMBER, &WALK_LEVELS.to_string()));
    push_levels(
        &mut text,
        include_str!("../../rego/sprint.rego"),
        PRINT_LEVELS,
    );
    text.push_str(&PRINT_END.replace(NUMBER, &PRINT_LEVELS.to_string()));
    text
}

/// A generated module as another engine reads it: what was a host function is a function of the module `regent`.
pub fn importing(module: &str) -> String {
    // The writer puts this line into every module, and nothing else can be a line of this text: comments begin with `#`.
    module.replacen(
        "\nimport rego.v1\n",
        "\nimport data.regent\nimport rego.v1\n",
        1,
    )
}

/// Stands for the number of a level, and the next for that of the level below.
const NUMBER: &str = "@0";
const BELOW: &str = "@1";

/// Leaves may stand on the level below the last.
const WALK_END: &str = "
walk_@0(pattern, value, _, _) := plainly(scalar(value, pattern)) if {
\tnot is_object(pattern)
\tnot is_array(pattern)
}
";
const PRINT_END: &str = "
sprint_@0(value) := scalar_text(value) if {
\tnot is_array(value)
\tnot is_object(value)
}
";

fn push_levels(text: &mut String, level: &str, levels: usize) {
    for number in 0..levels {
        let own = level.replace(NUMBER, &number.to_string());
        text.push_str(&own.replace(BELOW, &(number + 1).to_string()));
    }
}

#[cfg(test)]
mod tests;
