;; Says that it failed, in bytes that are no text.
(module
  (import "wapc" "__guest_error" (func $error (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "\ff\fe\00\1b[m")
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (call $error (i32.const 8) (i32.const 6))
    (i32.const 0)))
