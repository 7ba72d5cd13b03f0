;; Does not end being initialised.
(module
  (memory (export "memory") 1)
  (func (export "wapc_init") (loop $again (br $again)))
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (i32.const 1)))
