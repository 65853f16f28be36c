#include "textflag.h"

// func plainBlocks(b []byte) int
//
// 64 bytes a turn. Bytes are compared as signed: below the blank are control
// characters and, being negative, everything beyond ASCII.
TEXT ·plainBlocks(SB), NOSPLIT, $0-32
	MOVQ         b_base+0(FP), SI
	MOVQ         b_len+8(FP), CX
	MOVQ         SI, DI
	ANDQ         $~63, CX
	ADDQ         SI, CX // where the last whole block ends
	MOVQ         $0x2020202020202020, AX
	MOVQ         AX, X1
	VPBROADCASTQ X1, Y1 // blanks
	MOVQ         $0x2222222222222222, AX
	MOVQ         AX, X2
	VPBROADCASTQ X2, Y2 // quotes
	MOVQ         $0x5c5c5c5c5c5c5c5c, AX
	MOVQ         AX, X3
	VPBROADCASTQ X3, Y3 // backslashes

block:
	CMPQ      SI, CX
	JAE       end
	VMOVDQU   (SI), Y4
	VMOVDQU   32(SI), Y5
	VPCMPGTB  Y4, Y1, Y6
	VPCMPGTB  Y5, Y1, Y7
	VPCMPEQB  Y4, Y2, Y8
	VPCMPEQB  Y5, Y2, Y9
	VPCMPEQB  Y4, Y3, Y10
	VPCMPEQB  Y5, Y3, Y11
	VPOR      Y6, Y8, Y6
	VPOR      Y7, Y9, Y7
	VPOR      Y6, Y10, Y6
	VPOR      Y7, Y11, Y7
	VPOR      Y6, Y7, Y8
	VPTEST    Y8, Y8
	JNZ       found
	ADDQ      $64, SI
	JMP       block

found:
	VPMOVMSKB Y6, AX
	VPMOVMSKB Y7, BX
	SHLQ      $32, BX
	ORQ       BX, AX
	BSFQ      AX, AX
	ADDQ      AX, SI

end:
	VZEROUPPER
	SUBQ DI, SI
	MOVQ SI, ret+24(FP)
	RET
