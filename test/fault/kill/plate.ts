/** On every evidence of the stand-in; not given to it as an argument, which every process list would show. */
export const PLATE = 'RVKILL42X'
