;; Asks for larger tables until it gets none, and traps then.
(module
  (memory (export "memory") 1)
  (table $table 1 funcref)
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (loop $again
      (if (i32.eq (table.grow $table (ref.null func) (i32.const 5000)) (i32.const -1)) (then (unreachable)))
      (br $again))
    (unreachable)))
