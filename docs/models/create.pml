/* The creation of a two-party wallet: keygen, staging in both stores, proof, commit, and the
 * address told to the caller. Shows which rules are needed so that an address never goes out
 * without two matching halves behind it, and so that no shares of a told address are swept.
 *
 * Variants, chosen by macro:
 *   EARLY        the address is told when keygen ends, before anything is stored
 *   ASSERTED     the customer may commit without having stored its share (no proof)
 *   PROVEN       commit needs a proof made from the share as read back from the store
 * and on top of PROVEN:
 *   SWEEP_ALL    the provider's collection of old pending halves spares nothing
 *   SWEEP        it takes only halves that no commit was accepted for, leaving a tombstone
 *   ROLLBACK     the provider may fall back to a copy taken before the staging
 *   STANDBY      the provider accepts a commit only once its half is on a synchronous copy
 */

/* Durable. c, s: the attempt whose share is stored, 0 none. copy: the provider's half is on a
 * synchronous copy too. tomb: the attempt is aborted for ever. */
byte c = 0, s = 0;
bool copy[3], activated[3], tomb[3];
/* In memory: the attempt whose keygen has ended here, 0 none. */
byte mc = 0, ms = 0;
byte attempts = 0, faults = 0;
/* Told to the caller: the address of this attempt, 0 none. Never taken back. */
byte told = 0;
/* Messages once sent may arrive at any time, twice, or never. */
bool proof[3], committed[3];

#ifdef REACHABLE
/* Expected to fail: an address can be told at all, so the other variants check something. */
#define SOUND (told == 0)
#else
#define SOUND (told == 0 || (c == told && s == told))
#endif
inline check() { assert(SOUND) }

active proctype System() {
  do
  :: attempts < 2 && told == 0 ->
     atomic {
       attempts++;
       if :: mc = attempts :: mc = 0 fi;
       if :: ms = attempts :: ms = 0 fi
     }
  :: faults < 2 -> atomic { faults++; mc = 0 }
  :: faults < 2 -> atomic { faults++; ms = 0 }

  /* The provider stores its half; a later attempt is another wallet row, so that a stored half
   * whose attempt was proven or committed is never overwritten. */
  :: ms != 0 && (s == 0 || (!activated[s] && !proof[s])) ->
     atomic { s = ms; ms = 0; check() }
  /* The customer stores its share, unless it has already vouched for another attempt. */
  :: mc != 0 && (c == 0 || !proof[c]) ->
     atomic { c = mc; mc = 0; check() }
  :: s != 0 && !copy[s] -> copy[s] = 1

#ifdef EARLY
  :: mc != 0 && told == 0 -> atomic { told = mc; check() }
#endif
#ifdef ASSERTED
  :: mc != 0 && s == mc && !tomb[mc] -> proof[mc] = 1
#endif
  /* A signature by both stored halves. */
  :: c != 0 && s == c && !tomb[c] -> proof[c] = 1

  /* Commit: one compare-and-set; a tombstone beats it. */
#ifdef STANDBY
  :: s != 0 && proof[s] && !tomb[s] && copy[s] -> atomic { activated[s] = 1; committed[s] = 1 }
#else
  :: s != 0 && proof[s] && !tomb[s] -> atomic { activated[s] = 1; committed[s] = 1 }
#endif
#ifdef ASSERTED
  :: told == 0 && committed[1] -> atomic { told = 1; check() }
  :: told == 0 && committed[2] -> atomic { told = 2; check() }
#else
  :: told == 0 && c != 0 && committed[c] -> atomic { told = c; check() }
#endif

#ifdef SWEEP_ALL
  :: s != 0 -> atomic { tomb[s] = 1; s = 0; check() }
#endif
#ifdef SWEEP
  :: s != 0 && !activated[s] -> atomic { tomb[s] = 1; s = 0; check() }
#endif
#ifdef ROLLBACK
  /* The copy that takes over has whatever reached it. */
  :: faults < 2 && s != 0 ->
     atomic {
       faults++;
       ms = 0;
#ifdef STANDBY
       if :: copy[s] -> skip :: else -> s = 0 fi;
#else
       s = 0;
#endif
       check()
     }
#endif
  :: break
  od
}
