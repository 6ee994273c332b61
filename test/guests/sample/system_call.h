/* What the CPL3 tasks can ask of the kernel. */
#ifndef SYSTEM_CALL_H
#define SYSTEM_CALL_H

enum system_call {
    SYSTEM_CALL_SLEEP = 1,   /* ticks */
    SYSTEM_CALL_RELEASE = 2, /* gives all demand pages back; returns how many there were */
    SYSTEM_CALL_RESULT = 3,  /* code, reason */
};

#endif
