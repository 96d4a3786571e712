;; The inner loop of FastCDC: where does the first chunk of some bytes end?
;;
;; WebAssembly because the hash is 64 bits wide: JavaScript would need a pair of 32-bit halves and
;; is several times slower. Assembled into src/gen/cut-point-wasm.ts by `pnpm generate`.
;;
;; Memory: 0 gear table (256 little-endian u64), 2048 the same values shifted left by one,
;; 4096 the bytes to cut. The algorithm, its parameters and test vectors: fastcdc.ts.
(module
  (memory (export "memory") 1)
  (func (export "cut")
    (param $start i32)      ;; address of the first byte
    (param $length i32)     ;; how many bytes there are, more than $min
    (param $min i32) (param $avg i32) (param $max i32)
    (param $mask_s i64) (param $mask_l i64)
    (result i32)            ;; length of the chunk
    (local $i i32) (local $normal i32) (local $hash i64) (local $mask i64)
    (if (i32.gt_u (local.get $length) (local.get $max))
      (then (local.set $length (local.get $max))))
    (local.set $normal
      (select (local.get $length) (local.get $avg) (i32.lt_u (local.get $length) (local.get $avg))))
    ;; Two bytes a round. Both bounds are rounded down to even, as in the reference.
    (local.set $i (i32.and (local.get $min) (i32.const -2)))
    (local.set $normal (i32.and (local.get $normal) (i32.const -2)))
    (local.set $mask (local.get $mask_s))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (i32.and (local.get $length) (i32.const -2))))
        (if (i32.ge_u (local.get $i) (local.get $normal))
          (then (local.set $mask (local.get $mask_l))))
        (local.set $hash
          (i64.add
            (i64.shl (local.get $hash) (i64.const 2))
            (i64.load offset=2048
              (i32.shl (i32.load8_u (i32.add (local.get $start) (local.get $i))) (i32.const 3)))))
        (if (i64.eqz (i64.and (local.get $hash) (i64.shl (local.get $mask) (i64.const 1))))
          (then (return (local.get $i))))
        (local.set $hash
          (i64.add
            (local.get $hash)
            (i64.load
              (i32.shl (i32.load8_u offset=1 (i32.add (local.get $start) (local.get $i))) (i32.const 3)))))
        (if (i64.eqz (i64.and (local.get $hash) (local.get $mask)))
          (then (return (i32.add (local.get $i) (i32.const 1)))))
        (local.set $i (i32.add (local.get $i) (i32.const 2)))
        (br $next)))
    (local.get $length)))
