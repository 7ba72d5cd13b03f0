# Objects need some labels: a template as Gatekeeper has them, compiled by OPA.
package policy

import rego.v1

violation contains {"msg": msg, "details": {"missing_labels": missing}} if {
	provided := {label | some label, _ in input.review.object.metadata.labels}
	required := {entry.key | some entry in input.parameters.labels}
	missing := required - provided
	count(missing) > 0
	msg := sprintf("you must provide labels: %v", [missing])
}

violation contains {"msg": msg} if {
	some label, value in input.review.object.metadata.labels
	some entry in input.parameters.labels
	entry.key == label
	not regex.match(entry.allowedRegex, value)
	msg := sprintf("label <%v: %v> does not satisfy allowed regex: %v", [label, value, entry.allowedRegex])
}
