
sprint_@0(value) := scalar_text(value) if {
	not is_array(value)
	not is_object(value)
}

sprint_@0(value) := concat("", ["[", concat(" ", items), "]"]) if {
	is_array(value)
	items := [text | some item in value; text := sprint_@1(item)]
	count(items) == count(value)
}

sprint_@0(value) := concat("", ["map[", concat(" ", items), "]"]) if {
	is_object(value)
	items := [text |
		some name in sort(object.keys(value))
		text := concat(":", [name, sprint_@1(value[name])])
	]
	count(items) == count(value)
}
