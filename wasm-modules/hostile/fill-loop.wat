;; Fills sixty megabytes again and again: each round is one instruction.
(module
  (memory (export "memory") 961)
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (loop $again
      (memory.fill (i32.const 0) (i32.const 7) (i32.const 62914560))
      (br $again))
    (unreachable)))
