;; Asks for memory and writes to it, whether or not it got it.
(module
  (memory (export "memory") 1)
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (local $at i32)
    (loop $again
      (drop (memory.grow (i32.const 1)))
      (i32.store (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 65536)))
      (br $again))
    (unreachable)))
