/* Several changes of one wallet's shares over two or three durable stores, each of which may be
 * restored to a copy of any earlier moment. Store 0 is the provider's database, the others are the
 * customer's vaults. Shows how long a generation has to be kept, that numbers are never used
 * twice, and that a TWO_OF_THREE change needs all three parties.
 *
 * Attempt 0 made the generation that every store begins with; each change is a later attempt.
 * Sets of attempts are bit masks.
 *
 * Variants, chosen by macro; one of the first four says what a store drops after an activation:
 *   KEEP_NONE    everything but the active generation
 *   KEEP_ONE     everything but the active generation and the one before it
 *   OWN_HORIZON  what its own oldest copy no longer needs
 *   HORIZON      what no other store's oldest copy needs (custody rule 9)
 * and on top:
 *   THREE        two customer vaults; any two stores must match, so that one may be lost
 *   COMPROMISED  a change may shred every earlier generation at once (custody rule 10)
 *   ONE_PAIR     a change counts as proven by one customer vault and the provider
 *   QUIET        no store is ever restored
 */

#ifdef THREE
#define STORES 3
#define ALL(p) (p(0) && p(1) && p(2))
#define PAIRS(p) (p(0,1) && p(0,2) && p(1,2))
#else
#define STORES 2
#define ALL(p) (p(0) && p(1))
#define PAIRS(p) (p(0,1))
#endif
#define LAST 2
#define BIT(a) (1 << (a))

/* Durable. held: generations that were activated here; staged: the attempt beside them, 0 none;
 * tombs: attempts that the provider aborted. */
byte held[STORES], staged[STORES], tombs = 0;
/* The oldest copy that a store can still be restored to. */
byte copy_held[STORES], copy_staged[STORES], copy_tombs = 0;
/* In memory: the attempt whose ceremony has ended here, 0 none. */
byte ended[STORES];
byte attempts = 0;
#ifndef QUIET
byte restores = 0;
#endif
/* Messages once sent may arrive at any time, twice, or never. Sets of attempts. */
byte proven = 0, committing = 0, committed = 0;

/* What store k can still use: a staged share is stored too. */
#define USABLE(k) (held[k] | (staged[k] != 0 -> BIT(staged[k]) : 0))
#define MATCH(j, k) ((USABLE(j) & USABLE(k)) != 0)
#ifdef REACHABLE
/* Expected to fail: two changes can come to their end and the first generation can go, so the other
 * variants check something. */
inline check() { assert(held[0] != 4 || held[1] != 4) }
#else
inline check() { assert(PAIRS(MATCH)) }
#endif

/* Every change starts from one generation that all parties hold (custody rule 3). */
#ifdef THREE
#define COMMON (held[0] & held[1] & held[2])
#else
#define COMMON (held[0] & held[1])
#endif

/* After a commit was accepted, or sent and not answered by a tombstone, nothing is restaged. */
#define MAY_STAGE(k) (staged[k] == 0 || \
  (k != 0 -> !(committing & BIT(staged[k])) : !(committed & BIT(staged[k]))))

/* A proof is made from the staged shares, read back (custody rule 7). */
#define STAGED_IS(k) (staged[k] == staged[0])
#ifdef ONE_PAIR
#define PROVABLE (staged[0] != 0 && STAGED_IS(1))
#define AGREED (HAS_NEWEST(1))
#else
#define PROVABLE (staged[0] != 0 && ALL(STAGED_IS))
#define AGREED (ALL(HAS_NEWEST))
#endif

/* The newest generation of a set, as a set; attempts are numbered in order. */
#define NEWEST(set) ((set) & 8 -> 8 : ((set) & 4 -> 4 : ((set) & 2 -> 2 : ((set) & 1))))
/* Those at least as new as the newest one of `of`; all where that is empty. */
#define FROM(set, of) ((of) == 0 -> (set) : ((set) & ~(NEWEST(of) - 1)))

#define HAS_NEWEST(k) (NEWEST(held[k]) == NEWEST(held[0]))

/* What store k keeps, now that it holds `all`. */
#ifdef KEEP_NONE
#define KEPT(k, all) NEWEST(all)
#endif
#ifdef KEEP_ONE
#define KEPT(k, all) (NEWEST(all) | NEWEST((all) & ~NEWEST(all)))
#endif
#ifdef OWN_HORIZON
#define KEPT(k, all) FROM(all, (all) & copy_held[k])
#endif
#ifdef HORIZON
/* The newest that the other's copy has in common with this store, and all since. */
#define NEED(j, all) FROM(all, (all) & copy_held[j])
#ifdef THREE
#define KEPT(k, all) (k == 0 -> (NEED(1, all) | NEED(2, all)) : \
  (k == 1 -> (NEED(0, all) | NEED(2, all)) : (NEED(0, all) | NEED(1, all))))
#else
#define KEPT(k, all) (k == 0 -> NEED(1, all) : NEED(0, all))
#endif
#endif

inline activate(k) {
  held[k] = held[k] | BIT(staged[k]);
  staged[k] = 0;
  check()
}

inline tidy(k) { held[k] = KEPT(k, held[k]); check() }

inline stage(k) {
  staged[k] = ended[k];
  ended[k] = 0;
  check()
}

inline restore(k) {
  held[k] = copy_held[k];
  staged[k] = copy_staged[k];
  ended[k] = 0;
  check()
}

inline take_copy(k) { copy_held[k] = held[k]; copy_staged[k] = staged[k] }

active proctype System() {
  byte k;
  atomic {
    k = 0;
    do
    :: k < STORES -> held[k] = 1; copy_held[k] = 1; k++
    :: else -> break
    od
  }
  do
  /* Each party ends the ceremony of a new attempt or not. */
  :: attempts < LAST && COMMON != 0 ->
     atomic {
       attempts++;
       if :: ended[0] = attempts :: ended[0] = 0 fi;
       if :: ended[1] = attempts :: ended[1] = 0 fi;
#ifdef THREE
       if :: ended[2] = attempts :: ended[2] = 0 fi;
#endif
     }

  :: ended[0] != 0 && MAY_STAGE(0) -> atomic { stage(0) }
  :: ended[1] != 0 && MAY_STAGE(1) -> atomic { stage(1) }
#ifdef THREE
  :: ended[2] != 0 && MAY_STAGE(2) -> atomic { stage(2) }
#endif

  :: PROVABLE && !(tombs & BIT(staged[0])) -> proven = proven | BIT(staged[0])
  :: staged[1] != 0 && (proven & BIT(staged[1])) -> committing = committing | BIT(staged[1])
  /* One compare-and-set each; a tombstone beats a commit. */
  :: staged[0] != 0 && (committing & BIT(staged[0])) && !(tombs & BIT(staged[0])) ->
     atomic { committed = committed | BIT(staged[0]); activate(0) }
  :: staged[0] != 0 -> atomic { tombs = tombs | BIT(staged[0]); staged[0] = 0; check() }
  :: staged[1] != 0 && (committed & BIT(staged[1])) -> atomic { activate(1) }
  :: staged[1] != 0 && (tombs & BIT(staged[1])) && !(committed & BIT(staged[1])) ->
     atomic { staged[1] = 0; check() }
#ifdef THREE
  :: staged[2] != 0 && (committed & BIT(staged[2])) -> atomic { activate(2) }
  :: staged[2] != 0 && (tombs & BIT(staged[2])) && !(committed & BIT(staged[2])) ->
     atomic { staged[2] = 0; check() }
#endif

  :: held[0] != KEPT(0, held[0]) -> atomic { tidy(0) }
  :: held[1] != KEPT(1, held[1]) -> atomic { tidy(1) }
#ifdef THREE
  :: held[2] != KEPT(2, held[2]) -> atomic { tidy(2) }
#endif
#ifdef COMPROMISED
  :: AGREED && held[0] != NEWEST(held[0]) -> atomic { held[0] = NEWEST(held[0]); check() }
  :: AGREED && held[1] != NEWEST(held[1]) -> atomic { held[1] = NEWEST(held[1]); check() }
#endif

  /* A copy takes the place of the oldest one; a store is restored to it. */
  :: atomic { copy_held[0] != held[0] || copy_staged[0] != staged[0] || copy_tombs != tombs ->
     take_copy(0); copy_tombs = tombs }
  :: atomic { copy_held[1] != held[1] || copy_staged[1] != staged[1] -> take_copy(1) }
#ifdef THREE
  :: atomic { copy_held[2] != held[2] || copy_staged[2] != staged[2] -> take_copy(2) }
#endif
#ifndef QUIET
  :: restores < 2 -> atomic { restores++; tombs = copy_tombs; restore(0) }
  :: restores < 2 -> atomic { restores++; restore(1) }
#ifdef THREE
  :: restores < 2 -> atomic { restores++; restore(2) }
#endif
#endif
  :: break
  od
}
