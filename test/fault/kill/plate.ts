/**
 * On every evidence of the stand-in. Not given to it as an argument, which every process list would show, and not written in one
 * piece: the cache of compiled sources is searched as well.
 */
export const PLATE = ['RVKILL', '42X'].join('')
