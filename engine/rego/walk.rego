
walk_@0(pattern, value, above, key) := map_@0(pattern, value, above, key) if {
	is_object(pattern)
	is_object(value)
}

walk_@0(pattern, value, _, _) := plainly("fail") if {
	is_object(pattern)
	not is_object(value)
}

walk_@0(pattern, value, above, key) := list_@0(pattern, value, above, key) if {
	is_array(pattern)
	is_array(value)
}

walk_@0(pattern, value, _, _) := plainly("fail") if {
	is_array(pattern)
	not is_array(value)
}

walk_@0(pattern, value, _, _) := plainly(scalar(value, pattern)) if {
	not is_object(pattern)
	not is_array(pattern)
}

map_@0(entries, fields, above, key) := result(state, array.concat([looked], conditions)) if {
	looked := ["pass", looked_for(entries), found_of(entries, fields)]
	conditions := [one |
		some raw in conditions_of(entries)
		one := field_@0(raw, entries[raw], fields, above, key)
	]
	count(conditions) == count(conditions_of(entries))
	state := anchored([one[0] | some one in conditions])
	state != "pass"
}

map_@0(entries, fields, above, key) := result(rest[0], array.concat([looked, rest], conditions)) if {
	looked := ["pass", looked_for(entries), found_of(entries, fields)]
	conditions := [one |
		some raw in conditions_of(entries)
		one := field_@0(raw, entries[raw], fields, above, key)
	]
	count(conditions) == count(conditions_of(entries))
	anchored([one[0] | some one in conditions]) == "pass"
	others := [one |
		some raw in others_of(entries)
		one := field_@0(raw, entries[raw], fields, above, key)
	]
	count(others) == count(others_of(entries))
	rest := in_order(others)
}

field_@0(raw, pattern, fields, above, key) := of_keys(kind, walked) if {
	[kind, bare] := anchor(raw)
	names := keys_in(bare, fields, above, key)
	count(names) > 0
	walked := [one |
		some name in names
		one := there_@0(kind, pattern, fields[name], [key, name])
	]
	count(walked) == count(names)
}

field_@0(raw, pattern, fields, above, key) := absent_@0(kind, pattern, [key, bare]) if {
	[kind, bare] := anchor(raw)
	count(keys_in(bare, fields, above, key)) == 0
}

absent_@0("", _, _) := plainly("skip")

absent_@0("<", _, _) := plainly("pass")

absent_@0("=", _, _) := plainly("pass")

absent_@0("X", _, _) := plainly("pass")

absent_@0("^", _, _) := plainly("pass")

absent_@0("plain", "*", _) := plainly("fail")

absent_@0("plain", pattern, place) := walk_@1(pattern, null, place[0], place[1]) if pattern != "*"

there_@0("", pattern, value, place) := or_skip(walk_@1(pattern, value, place[0], place[1]))

there_@0("<", pattern, value, place) := or_skip(walk_@1(pattern, value, place[0], place[1]))

there_@0("=", pattern, value, place) := walk_@1(pattern, value, place[0], place[1])

there_@0("X", _, _, _) := plainly("forbidden")

there_@0("^", pattern, value, place) := exists_@0(pattern, value, place)

there_@0("plain", "*", value, _) := starred(value)

there_@0("plain", pattern, value, place) := walk_@1(pattern, value, place[0], place[1]) if pattern != "*"

exists_@0(pattern, value, place) := in_order(items) if {
	is_array(pattern)
	is_array(value)
	items := [one |
		some item in pattern
		one := item_@0(item, value, place)
	]
	count(items) == count(pattern)
}

exists_@0(pattern, _, _) := plainly("fail") if not is_array(pattern)

exists_@0(_, value, _) := plainly("fail") if not is_array(value)

item_@0(item, _, _) := plainly("fail") if not is_object(item)

item_@0(item, elements, place) := result(state, tried) if {
	is_object(item)
	walked := [one |
		some element in elements
		one := walk_@1(item, element, place[0], place[1])
	]
	count(walked) == count(elements)
	tried := up_to(walked, {"pass"})
	state := status("pass" in {one[0] | some one in tried})
}

list_@0([], _, _, _) := plainly("fail")

list_@0(items, elements, above, key) := each(walked) if {
	is_object(items[0])
	walked := [one |
		some element in elements
		one := walk_@1(items[0], element, above, key)
	]
	count(walked) == count(elements)
}

list_@0(items, elements, above, key) := each(walked) if {
	is_array(items[0])
	count(elements) >= count(items)
	walked := [one |
		some index, item in items
		one := walk_@1(item, elements[index], above, key)
	]
	count(walked) == count(items)
}

list_@0(items, elements, _, _) := plainly("broken") if {
	is_array(items[0])
	count(elements) < count(items)
}

list_@0(items, elements, _, _) := plainly(scalar(elements, items[0])) if {
	not is_object(items[0])
	not is_array(items[0])
}
