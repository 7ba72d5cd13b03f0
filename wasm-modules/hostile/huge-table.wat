;; Wants a table of ten million elements from the start.
(module
  (memory (export "memory") 1)
  (table 10000000 funcref)
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (i32.const 1)))
